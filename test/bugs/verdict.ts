import { z } from 'zod'
import { WITHIN } from './bug.ts'

/*
 * What a run of tests said, read from vitest's JSON report. A bug is caught by a test that ran and
 * failed; a file that does not load, or a run without a report, proves nothing about any test.
 */

const reportShape = z.object({
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      message: z.string().optional(),
      assertionResults: z.array(
        z.object({
          ancestorTitles: z.array(z.string()),
          title: z.string(),
          fullName: z.string(),
          status: z.string(),
          failureMessages: z.array(z.string()).nullish(),
        }),
      ),
    }),
  ),
})

export interface RanTest {
  file: string
  /** Titles of the blocks around it and its own, joined by blanks: what a title is looked for in. */
  fullName: string
  /** `file › block › title`. */
  label: string
  /** `pending` when the run ended before it, or its title was not asked for. */
  status: 'passed' | 'failed' | 'pending'
  message: string
}

export interface Report {
  tests: RanTest[]
  /** Files that could not be run at all, with the reason. */
  broken: string[]
}

/** Reads a report of files below `root`. Throws on what is none. */
export function readReport(json: string, root: string): Report {
  const { testResults } = reportShape.parse(JSON.parse(json))
  const inside = (name: string) => name.replace(`${root}/`, '')
  return {
    tests: testResults.flatMap(({ name, assertionResults }) =>
      assertionResults.map(({ ancestorTitles, title, fullName, status, failureMessages }) => ({
        file: inside(name),
        fullName,
        label: [inside(name), ...ancestorTitles, title].join(WITHIN),
        status: status === 'passed' || status === 'failed' ? status : 'pending',
        message: failureMessages?.[0] ?? '',
      })),
    ),
    broken: testResults
      .filter(
        ({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0,
      )
      .map(({ name, message }) => `${inside(name)}: ${message || 'did not run'}`),
  }
}

export type Verdict =
  | { verdict: 'caught'; by: string }
  | { verdict: 'survived' }
  /** The tests could not tell. */
  | { verdict: 'broken'; why: string }

export function verdictOn({ tests, broken }: Report): Verdict {
  const failed = tests.find(({ status }) => status === 'failed')
  if (failed) return { verdict: 'caught', by: failed.label }
  if (broken[0] !== undefined) return { verdict: 'broken', why: broken[0] }
  if (tests.some(({ status }) => status === 'passed')) return { verdict: 'survived' }
  return { verdict: 'broken', why: 'no test ran' }
}
