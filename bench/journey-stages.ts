import { rounded } from './figures.ts'

/** When the four turns of one job happened, milliseconds since the epoch. */
export interface Conversation {
  sentAt: number
  invoiceAt: number
  paidAt: number
  resultAt: number
}

export const stages = ['crypto', 'database', 'lnbits', 'relay', 'backend'] as const
type StageName = (typeof stages)[number]

/** What the time before each mark was spent on; marks are failpoints of the daemon and turns of the customer. */
const SPENT_ON: Record<string, StageName> = {
  'intake:opened': 'relay',
  'accept:before-commit': 'database',
  'accept:committed': 'database',
  'quote:start': 'database',
  'quote:invoice-made': 'lnbits',
  'quote:before-commit': 'database',
  'quote:committed': 'database',
  'deliver:signed': 'crypto',
  'deliver:stored': 'database',
  'deliver:published': 'relay',
  'deliver:before-commit': 'database',
  'deliver:committed': 'database',
  invoice: 'relay',
  'payment:seen': 'lnbits',
  'payment:before-commit': 'database',
  'payment:committed': 'database',
  'work:start': 'database',
  'work:end': 'backend',
  'settle:before-commit': 'database',
  'settle:committed': 'database',
  result: 'relay',
}

/**
 * The share of each stage in the time that jobs took, for jobs that came one after the other. Opening a wrap lies
 * between the relay and the first mark and counts as relay; signing and wrapping a reply is what is called crypto.
 */
export function sharesOf(
  jobs: readonly Conversation[],
  marks: readonly [string, number][],
): Record<string, number> {
  const spent = Object.fromEntries(stages.map((name) => [name, 0]))
  for (const { sentAt, invoiceAt, paidAt, resultAt } of jobs) {
    const points: [string, number][] = [
      ['invoice', invoiceAt],
      ['paid', paidAt],
      ['result', resultAt],
      ...marks.filter(([, at]) => at > sentAt && at < resultAt),
    ]
    let before = sentAt
    for (const [name, at] of points.sort(([, a], [, b]) => a - b)) {
      const stage = SPENT_ON[name]
      if (stage) spent[stage] = (spent[stage] ?? 0) + at - before
      before = at
    }
  }
  const total = Object.values(spent).reduce((sum, ms) => sum + ms, 0)
  return Object.fromEntries(stages.map((name) => [name, rounded((spent[name] ?? 0) / total, 3)]))
}
