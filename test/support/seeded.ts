import { hash, randomInt } from 'node:crypto'

export interface Seeded {
  /** Names this run; the same seed makes the same run. */
  readonly seed: string
  bytes(length: number): Uint8Array
  /** Whole number from 0 up to but not `below`. */
  int(below: number): number
  pick<T>(list: readonly T[]): T
}

/** A heavy sweep on a machine shared with others takes minutes; the limit is for hangs only. */
export const SWEEP_MS = 600_000

/** A random run is not tried again with other choices: what it found once is there. */
export const oneTry = { retry: 0, timeout: SWEEP_MS } as const

/** How many rounds a random sweep does: `usual`, or `heavy` when TITHE_SWEEP is set. */
export const sweepRounds = (usual: number, heavy: number): number =>
  process.env.TITHE_SWEEP ? heavy : usual

/** Says one line past the reporter, so that a seed is in the log of every run, green or red. */
export function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

/** Random choices that can be played again: TITHE_SEED, else a fresh seed that the test prints. */
export function seeded(seed = process.env.TITHE_SEED ?? String(randomInt(2 ** 47))): Seeded {
  let block = Buffer.alloc(0)
  let blocks = 0
  const bytes = (length: number): Uint8Array => {
    while (block.length < length) {
      blocks++
      block = Buffer.concat([block, hash('sha512', `${seed}/${blocks}`, 'buffer')])
    }
    const taken = Uint8Array.from(block.subarray(0, length))
    block = block.subarray(length)
    return taken
  }
  const int = (below: number): number => {
    if (!(below >= 1)) throw new RangeError(`nothing below ${below}`)
    return Number(Buffer.from(bytes(6)).readUIntBE(0, 6) % below)
  }
  return {
    seed,
    bytes,
    int,
    pick(list) {
      const chosen = list[int(list.length)]
      if (chosen === undefined) throw new RangeError('nothing to pick from')
      return chosen
    },
  }
}
