import { runVitest } from '../support/run-vitest.ts'
import { type PlantedBug, plant, readTestName, type TestName } from './bug.ts'
import type { Tree } from './tree.ts'
import { type Report, readReport, type Verdict, verdictOn } from './verdict.ts'

/** A bug that makes its tests wait for ever is found by this, far above what any of them takes. */
const TRIAL_MS = 180_000
/** All tests that are named, on a machine shared with others. */
const SOUND_MS = 1_200_000

/** Plants one bug in a tree, runs the tests that are named for it, and puts the tree in order again. */
export async function tryBug(tree: Tree, bug: PlantedBug, databaseUrl: string): Promise<Verdict> {
  const sound = tree.read(bug.file)
  const names = bug.tests.map(readTestName)
  try {
    tree.write(bug.file, plant(bug, sound))
    return verdictOn(await run(tree, { names, databaseUrl, bail: true, limitMs: TRIAL_MS }))
  } catch (error) {
    return { verdict: 'broken', why: error instanceof Error ? error.message : String(error) }
  } finally {
    tree.write(bug.file, sound)
  }
}

/**
 * What is wrong with the named tests where no bug is planted: one that fails then would seem to catch
 * everything, and one that is not found, nothing. Empty when all is well.
 */
export async function unsoundTests(
  tree: Tree,
  tests: readonly string[],
  databaseUrl: string,
): Promise<string[]> {
  const names = [...new Set(tests)].map(readTestName)
  const whole = new Set(names.filter(({ title }) => title === undefined).map(({ file }) => file))
  const groups = [
    names.filter(({ title }) => title === undefined),
    names.filter(({ file, title }) => title !== undefined && !whole.has(file)),
  ]
  const ran: Report = { tests: [], broken: [] }
  for (const group of groups) {
    if (group.length === 0) continue
    const report = await run(tree, { names: group, databaseUrl, bail: false, limitMs: SOUND_MS })
    ran.tests.push(...report.tests)
    ran.broken.push(...report.broken)
  }
  const failed = ran.tests.filter(({ status }) => status === 'failed')
  const missing = names.filter((name) => !ran.tests.some((test) => isNamed(name, test)))
  return [
    ...ran.broken,
    ...failed.map(({ label, message }) => `${label}\n  ${message.split('\n')[0]}`),
    ...missing.map(({ file, title }) => `no test of ${file} is called "${title ?? ''}"`),
  ]
}

const isNamed = ({ file, title }: TestName, test: Report['tests'][number]): boolean =>
  test.file === file &&
  test.status !== 'pending' &&
  (title === undefined || test.fullName.includes(title))

interface Asked {
  names: readonly TestName[]
  databaseUrl: string
  bail: boolean
  limitMs: number
}

async function run(tree: Tree, { names, ...how }: Asked): Promise<Report> {
  const files = [...new Set(names.map(({ file }) => file))]
  const titles = names.flatMap(({ title }) => title ?? [])
  const isNarrow = titles.length === names.length
  const { json, output } = await runVitest({
    ...{ ...how, root: tree.root, files, titles: isNarrow ? titles : [] },
  })
  if (json === undefined) throw new Error(`the tests ended without a report:\n${output}`)
  return readReport(json, tree.root)
}
