import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { processesAt, scratchDir, tithe } from '../support/tithe.ts'

interface Step {
  step?: string
  [field: string]: unknown
}

const linesOf = (stdout: string): Step[] =>
  stdout
    .trimEnd()
    .split('\n')
    .map((line): Step => JSON.parse(line))

test('the demo serves four customers, adds up to zero drift and leaves nothing behind', async () => {
  using scratch = scratchDir()
  const ran = await tithe(['demo', '--json'], { env: { TMPDIR: scratch.path } })
  expect(ran.stderr).toBe('')
  expect(ran.status).toBe(0)
  const lines = linesOf(ran.stdout)
  const stepsCalled = (name: string) => lines.filter(({ step }) => step === name)

  expect(lines.map(({ step }) => step).filter((step) => step !== 'message')).toEqual([
    ...['start', 'status', 'payment', 'paid'],
    ...['grant', 'free', 'payment', 'partial', 'estimate', 'status', undefined],
  ])

  const [before, after] = stepsCalled('status')
  expect(before).toMatchObject({ when: 'before', balanceSats: 10_000, verified: true })
  expect(after).toMatchObject({ when: 'after', verified: true })
  expect(Number(after?.seq)).toBeGreaterThan(Number(before?.seq))

  const [paid] = stepsCalled('paid')
  const netSats = Number(paid?.paidSats) - Number(paid?.refundSats)
  expect(paid).toMatchObject({ serve: 'gate', reservedSats: 0, actualSats: netSats })
  expect(paid?.creditedSats).toBe(Math.floor(netSats / 10))

  const [free] = stepsCalled('free')
  expect(free).toMatchObject({ serve: 'free', paidSats: 0, absorbedSats: free?.actualSats })
  const seen = free?.poolSats as { before: number; atWork: number; after: number }
  expect(seen.atWork).toBe(seen.before - Number(free?.reservedSats))
  expect(seen.after).toBe(seen.before - Number(free?.absorbedSats))

  const [partial] = stepsCalled('partial')
  expect(partial).toMatchObject({ serve: 'partial', grantedSats: partial?.absorbedSats })
  expect(Number(partial?.absorbedSats)).toBeGreaterThan(0)
  expect(Number(partial?.paidSats)).toBeGreaterThan(0)

  const [estimate] = stepsCalled('estimate')
  const sums = estimate?.sha256 as { before: string; after: string }
  expect(sums.after).toBe(sums.before)

  expect(lines.at(-1)).toEqual({
    done: true,
    ...{ paid: 1, free: 1, partial: 1, estimate: 1 },
    pool: { before: before?.balanceSats, after: after?.balanceSats },
    driftSats: 0,
    ms: expect.any(Number),
    bootMs: expect.any(Number),
  })
  expect(Number(lines.at(-1)?.ms)).toBeLessThan(60_000)

  expect(readdirSync(scratch.path)).toEqual([])
  expect(processesAt(scratch.path)).toEqual([])
})
