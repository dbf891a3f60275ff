import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'

/*
 * `npm run test:mutation`: changes the money rules in every small way that Stryker knows and counts how
 * many of the changes no test notices. Stryker is installed here when it is first asked for, beside the
 * packages of the program and not among them. Status 1 when the score is below 85 %.
 */

const root = join(import.meta.dirname, '../..')
const wanted = join(import.meta.dirname, 'package.json')
const home = join(root, 'node_modules/.mutation')
const installed = join(home, 'package.json')

const say = (line: string): void => void process.stdout.write(`${line}\n`)

function isInstalled(): boolean {
  if (!existsSync(join(home, 'node_modules')) || !existsSync(installed)) return false
  return readFileSync(installed, 'utf8') === readFileSync(wanted, 'utf8')
}

/** Vitest itself is the program's own, found in the directory above. */
function install(): number {
  say('installing Stryker into node_modules/.mutation')
  mkdirSync(home, { recursive: true })
  copyFileSync(wanted, installed)
  const args = ['install', '--no-package-lock', '--legacy-peer-deps', '--no-audit', '--no-fund']
  return spawnSync('npm', args, { cwd: home, stdio: 'inherit' }).status ?? 1
}

const reportShape = z.object({
  files: z.record(z.string(), z.object({ mutants: z.array(z.object({ status: z.string() })) })),
})

/** Detected of all that could be detected, percent: as Stryker counts. */
function scoreOf(json: string): string {
  const { files } = reportShape.parse(JSON.parse(json))
  const states = Object.values(files).flatMap(({ mutants }) => mutants.map(({ status }) => status))
  const count = (...named: string[]) => states.filter((state) => named.includes(state)).length
  const detected = count('Killed', 'Timeout')
  const all = detected + count('Survived', 'NoCoverage')
  const pct = all === 0 ? 0 : (100 * detected) / all
  return `mutation score of src/money: ${pct.toFixed(2)} % (${detected} of ${all} mutants)`
}

function main(): number {
  if (!isInstalled() && install() !== 0) return 1
  const stryker = join(home, 'node_modules/@stryker-mutator/core/bin/stryker.js')
  const args = [stryker, 'run', 'test/mutation/stryker.json', ...process.argv.slice(2)]
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' })
  const report = join(home, 'report.json')
  if (existsSync(report)) say(scoreOf(readFileSync(report, 'utf8')))
  return status ?? 1
}

process.exitCode = main()
