import { startTithe } from '../../test/support/tithe.ts'

/** Longest run of the demo, milliseconds: it takes seconds, and a first start of the database some more. */
const DEMO_MS = 120_000

/** Plays the demo in a process of its own and answers what it printed. */
export async function runDemo(): Promise<string> {
  const demo = startTithe(['demo', '--json'])
  const limit = setTimeout(() => demo.process.kill('SIGTERM'), DEMO_MS)
  const { status, stdout, stderr } = await demo.ended
  clearTimeout(limit)
  if (status !== 0) throw new Error(`the demo ended with status ${status}: ${stderr}`)
  return stdout
}
