import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'

export interface VitestRun {
  /** The tree whose tests are run. */
  root: string
  files: readonly string[]
  /** Part of a full name; with some, only tests that have one of them run. */
  titles: readonly string[]
  databaseUrl: string
  /** Stop after the first failure. */
  bail: boolean
  /** After it the run is killed. */
  limitMs: number
}

export interface VitestAnswer {
  /** vitest's JSON report; undefined when the run ended without one. */
  json: string | undefined
  /** The end of what it printed. */
  output: string
}

const OUTPUT_CHARS = 4_000

/** Runs tests of a tree in a process and worker of their own, on a server that is there already. */
export async function runVitest(run: VitestRun): Promise<VitestAnswer> {
  const report = join(run.root, 'report.json')
  rmSync(report, { force: true })
  const pattern = run.titles.map(literally).join('|')
  const args = [
    ...['run', ...run.files, '--maxWorkers=1', '--reporter=json', `--outputFile=${report}`],
    // On a machine that is busy a test may fail by itself; what fails twice has a reason.
    '--retry=1',
    ...(run.bail ? ['--bail=1'] : []),
    ...(pattern === '' ? [] : ['--testNamePattern', pattern]),
  ]
  const child = spawn(process.execPath, ['node_modules/vitest/vitest.mjs', ...args], {
    cwd: run.root,
    env: { ...process.env, TEST_DATABASE_URL: run.databaseUrl, FORCE_COLOR: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: run.limitMs,
    killSignal: 'SIGKILL',
  })
  let output = ''
  const keep = (chunk: Buffer) => {
    output = (output + chunk).slice(-OUTPUT_CHARS)
  }
  child.stdout.on('data', keep)
  child.stderr.on('data', keep)
  await once(child, 'close')
  return { json: existsSync(report) ? readFileSync(report, 'utf8') : undefined, output }
}

const literally = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
