import { expect, test } from 'vitest'
import { runGate, SUMMARY } from '../support/gate.ts'

/* The gate runs everything for minutes; here is only what it makes of the outcomes. */

test('the gate installs and tests, checks, plays five thousand worlds, and ends with the tests', () => {
  const { status, lines, asked } = runGate()
  expect(status).toBe(0)
  expect(asked).toEqual([
    'cit',
    'run -s format',
    'run -s lint',
    'run -s types',
    'run -s simulate -- --seeds 5000 --seed 1',
    'run -s test:lnbits -- --where-possible',
  ])
  expect(lines.slice(-SUMMARY.length)).toEqual(SUMMARY)
  expect(lines.indexOf('5000 worlds in 140 s')).toBe(lines.indexOf('== simulate') + 1)
})

test.each(['cit', 'format', 'lint', 'types', 'simulate', 'test:lnbits'])(
  'the gate fails with %s, says so before the summary, and still does all the rest',
  (step) => {
    const { status, lines, asked } = runGate({ fails: step })
    expect(status).toBe(1)
    expect(asked).toHaveLength(6)
    expect(lines).toContain(`failed: ${step === 'cit' ? 'npm cit' : step}`)
    expect(lines.slice(-SUMMARY.length)).toEqual(SUMMARY)
  },
)

test('without an installation the gate tries nothing more', () => {
  const { status, lines, asked } = runGate({ fails: 'cit', installed: false })
  expect(status).toBe(1)
  expect(asked).toEqual(['cit'])
  expect(lines.at(-1)).toBe(SUMMARY.at(-1))
})
