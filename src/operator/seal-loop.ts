import type { Clock } from '../clock.ts'
import { SEAL_EVERY_MS } from '../limits.ts'
import type { Log } from '../log.ts'
import type { Sql } from '../store/database.ts'
import { hasUnsealed, sealLedger } from '../store/seals.ts'
import { takeTurn } from '../store/turns.ts'

export interface SealLoopOptions {
  sql: Sql
  /** This replica. */
  holder: string
  clock: Clock
  log: Log
}

export interface SealLoop {
  start(): void
  /** Seals what is new, if it is this replica's turn; how many seals were made. */
  runOnce(): Promise<number>
  /** Seals what the last minute booked, and ends. */
  stop(): Promise<void>
}

/**
 * Seals the books every minute when something was booked. The hash goes to the log as well: an owner of the
 * database who writes the whole chain anew cannot write that line anew.
 */
export function createSealLoop({ sql, holder, clock, log }: SealLoopOptions): SealLoop {
  const ended = new AbortController()
  let loop: Promise<void> | undefined

  return {
    start() {
      loop ??= run()
    },
    runOnce,
    async stop() {
      ended.abort()
      await loop
    },
  }

  async function run(): Promise<void> {
    while (!ended.signal.aborted) {
      await sealQuietly()
      await clock.sleep(SEAL_EVERY_MS, ended.signal)
    }
    await sealQuietly()
  }

  async function sealQuietly(): Promise<void> {
    try {
      await runOnce()
    } catch (error) {
      log.warn({ err: error }, 'the books could not be sealed; trying again')
    }
  }

  async function runOnce(): Promise<number> {
    if (!(await hasUnsealed(sql))) return 0
    if (!(await takeTurn(sql, 'seal', holder, (2 * SEAL_EVERY_MS) / 1000))) return 0
    for (let made = 0; ; made += 1) {
      const seal = await sealLedger(sql)
      if (!seal) return made
      log.info({ seal: seal.id, transfersTo: seal.transfersTo, hash: seal.hash }, 'books sealed')
    }
  }
}
