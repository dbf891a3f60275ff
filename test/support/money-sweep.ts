import fc from 'fast-check'

const whole = (name: string, otherwise: number): number => {
  const text = process.env[name]
  if (text === undefined || text === '') return otherwise
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`${name} is no whole number`)
  return value
}

/** Random runs are repeated by MONEY_SEED, and made longer by MONEY_SWEEP, a factor. */
export const sweepSeed = whole('MONEY_SEED', 1 + Math.floor(Math.random() * 0x7fff_fffe))
export const sweepFactor = whole('MONEY_SWEEP', 1)

/** Says one line past the reporter, so that a seed is in the log of every run, green or red. */
export function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

/** Checks a property `runs` times (times the factor) from the printed seed. */
export function holds<T>(property: fc.IRawProperty<T>, runs = 2_000): void {
  fc.assert(property, { seed: sweepSeed, numRuns: runs * sweepFactor })
}
