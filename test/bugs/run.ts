import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { urlOf } from '../support/database-url.ts'
import { memoryDir } from '../support/memory-dir.ts'
import { findServer } from '../support/server.ts'
import type { PlantedBug } from './bug.ts'
import { catalogue } from './catalogue.ts'
import { tryBug, unsoundTests } from './trial.ts'
import { copyTree } from './tree.ts'
import type { Verdict } from './verdict.ts'

/*
 * `npm run test:bugs`: plants each bug of the catalogue in a copy of the working tree and runs the
 * tests that are named for it. One line a bug; status 1 when one survives.
 *
 *   --json        lines of JSON, the last one {"planted":…,"caught":…}
 *   --only NAME   bugs with NAME in their name; may be given again
 */

const AT_ONCE = 2

const { values } = parseArgs({
  options: { json: { type: 'boolean', default: false }, only: { type: 'string', multiple: true } },
})

const say = (line: string): void => void process.stdout.write(`${line}\n`)
const complain = (line: string): void => void process.stderr.write(`test:bugs: ${line}\n`)

async function main(): Promise<number> {
  const { only } = values
  const bugs = catalogue.filter(({ name }) => !only || only.some((part) => name.includes(part)))
  if (bugs.length === 0) {
    complain(`no bug is called ${only?.join(', ')}`)
    return 1
  }
  const server = await findServer()
  try {
    using home = memoryDir()
    return await tryAll(bugs, { dir: home.dir, databaseUrl: urlOf(server.target) })
  } finally {
    await server.stop()
  }
}

async function tryAll(
  bugs: readonly PlantedBug[],
  { dir, databaseUrl }: { dir: string; databaseUrl: string },
): Promise<number> {
  const from = join(import.meta.dirname, '../..')
  const trees = Array.from({ length: Math.min(AT_ONCE, bugs.length) }, (_, place) =>
    copyTree(from, join(dir, `tree-${place}`)),
  )
  const [first] = trees
  if (!first) throw new Error('there is no tree to plant in')
  complain(`${bugs.length} bugs; first their tests without any`)
  const unsound = await unsoundTests(
    first,
    bugs.flatMap(({ tests }) => tests),
    databaseUrl,
  )
  if (unsound.length > 0) {
    complain('without any bug these tests fail or are not there, so they prove nothing:')
    for (const line of unsound) complain(line)
    return 1
  }
  const left = [...bugs]
  let caught = 0
  const work = async (tree: (typeof trees)[number]): Promise<void> => {
    for (let bug = left.shift(); bug; bug = left.shift()) {
      const began = performance.now()
      const verdict = await tryBug(tree, bug, databaseUrl)
      if (verdict.verdict === 'caught') caught += 1
      say(lineOf(bug, verdict, Math.round(performance.now() - began)))
    }
  }
  await Promise.all(trees.map(work))
  say(
    values.json
      ? JSON.stringify({ planted: bugs.length, caught })
      : `${bugs.length} planted, ${caught} caught`,
  )
  return caught === bugs.length ? 0 : 1
}

const WORDS = { caught: 'caught  ', survived: 'SURVIVED', broken: 'BROKEN  ' }

function lineOf({ name, file }: PlantedBug, verdict: Verdict, ms: number): string {
  if (values.json) return JSON.stringify({ bug: name, file, ...verdict, ms })
  const what =
    verdict.verdict === 'caught' ? verdict.by : verdict.verdict === 'broken' ? verdict.why : file
  return `${WORDS[verdict.verdict]} ${name} (${ms} ms): ${what}`
}

process.exitCode = await main()
