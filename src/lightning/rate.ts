import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import { type BtcRate, freshBtcRate, judgeBtcRate } from '../money/btc-rate.ts'
import type { Lnbits } from './lnbits.ts'

export type RateAnswer =
  | {
      usdPerBtc: number
      /** Unix seconds it was read. */
      at: number
    }
  | { none: string }

export interface BtcRateSource {
  /**
   * The rate to price with now, or why there is none: then USD prices are refused, never guessed.
   */
  current(): Promise<RateAnswer>
}

export interface BtcRateOptions {
  /** An operator's own rate; LNbits is not asked then. */
  fixedUsd?: number
  lnbits: Pick<Lnbits, 'rate'>
  clock: Clock
  log: Log
}

/** Age at which a rate is read anew, ms; LNbits caches its own for as long. */
const REFRESH_MS = 60_000
/** Pause after a reading that gave no rate, ms: LNbits asks every exchange anew for each, seconds long (trap 13). */
const RETRY_MS = 10_000
/** Longest wait for a reading, ms: LNbits takes six seconds for a price it cannot find, or for ever. */
const WAIT_MS = 5_000

/**
 * The BTC rate from LNbits, kept and judged by `money/btc-rate.ts`: zero, nonsense and jumps are
 * not taken, and a kept rate that has grown old is none. While the kept one is fresh a request
 * never waits; the next is read behind it. Without one it waits a few seconds.
 */
export function createBtcRate(options: BtcRateOptions): BtcRateSource {
  const { fixedUsd, lnbits, clock, log } = options
  let held: BtcRate | null = null
  let reason = 'no_rate'
  let readAtMs = Number.NEGATIVE_INFINITY
  let reading: Promise<void> | undefined

  const nowSeconds = () => Math.floor(clock.now() / 1000)

  const read = async (): Promise<void> => {
    readAtMs = clock.now()
    const said = await ask()
    if (said === undefined) return
    const judged = judgeBtcRate({ held, usdPerBtc: said, nowSeconds: nowSeconds() })
    if (judged.taken) {
      held = judged.rate
      return
    }
    reason = judged.reason
    log.warn({ reason }, 'the BTC rate from LNbits was not taken')
  }

  const ask = async (): Promise<number | undefined> => {
    try {
      const rate = await lnbits.rate('USD')
      if (rate === undefined) reason = 'no_rate'
      return rate?.btcPrice
    } catch (error) {
      reason = 'unreachable'
      log.debug({ err: error }, 'LNbits gave no BTC rate')
      return undefined
    }
  }

  /** Concurrent requests share one reading, and a failed one is not repeated at once. */
  const refresh = (): Promise<void> => {
    reading ??= read().finally(() => {
      reading = undefined
    })
    return reading
  }

  /** A reading that hangs keeps those waiting that came as it began, and nobody after them. */
  const waitFor = async (read: Promise<void>): Promise<void> => {
    const leftMs = readAtMs + WAIT_MS - clock.now()
    if (leftMs <= 0) return
    const over = new AbortController()
    await Promise.race([read, clock.sleep(leftMs, over.signal)])
    over.abort()
  }

  return {
    async current() {
      if (fixedUsd !== undefined) return { usdPerBtc: fixedUsd, at: nowSeconds() }
      const ageMs = clock.now() - readAtMs
      const isKept = freshBtcRate({ held, nowSeconds: nowSeconds() }) !== null
      if (isKept && ageMs >= REFRESH_MS) void refresh()
      if (!isKept && (reading || ageMs >= RETRY_MS)) await waitFor(refresh())
      const fresh = freshBtcRate({ held, nowSeconds: nowSeconds() })
      return fresh ? { usdPerBtc: fresh.usdPerBtc, at: fresh.atSeconds } : { none: reason }
    },
  }
}
