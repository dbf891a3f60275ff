import type { Clock } from '../clock.ts'
import type { Config } from '../config.ts'
import { RANKED_KEYS, TRUST_EVERY_MS } from '../limits.ts'
import type { Log } from '../log.ts'
import { inTransaction, type Sql } from '../store/database.ts'
import { addRanked, applyMutes, applyTrust, readRankable } from '../store/trust.ts'
import { takeTurn } from '../store/turns.ts'
import { createTrustReader, muteListOf, type TrustReaderOptions } from './trust-reader.ts'

export interface TrustOptions {
  sql: Sql
  trust: Config['trust']
  /** Whose mute lists (kind 10000) ban. */
  operators: readonly string[]
  fetch: TrustReaderOptions['fetch']
  holder: string
  clock: Clock
  log: Log
}

export interface Trust {
  start(): void
  /** Reads every list anew, if it is this replica's turn; false when it is another's. */
  runOnce(): Promise<boolean>
  /** Asks for the ranks of keys that came lately; how many got a tier. */
  rankNewcomers(): Promise<number>
  stop(): Promise<void>
}

const MINUTE_MS = 60_000
/** Newcomers of the last minutes are asked for; those that fell between two looks with them. */
const NEWCOMER_SECONDS = 180
const TURN_SECONDS = (2 * TRUST_EVERY_MS) / 1000

/**
 * Grants tiers to whom Nostr lists name and bans whom operators mute, anew every hour. A list is obeyed when a
 * verified version is found that is no older than the last one; a relay that is down, silent or behind takes
 * nothing from anybody.
 */
export function createTrust(options: TrustOptions): Trust {
  const { sql, trust, operators, clock, log } = options
  const ended = new AbortController()
  const { rank } = trust
  const reader = createTrustReader({ ...options, rank, signal: ended.signal })
  let loop: Promise<void> | undefined

  return {
    start() {
      loop ??= run()
    },
    runOnce,
    rankNewcomers,
    async stop() {
      ended.abort()
      await loop
    },
  }

  async function run(): Promise<void> {
    let dueAt = clock.now()
    while (!ended.signal.aborted) {
      try {
        if (clock.now() >= dueAt) {
          dueAt = clock.now() + TRUST_EVERY_MS
          await runOnce()
        } else if (rank) await rankNewcomers()
      } catch (error) {
        log.warn({ err: error }, 'the lists of whom to trust could not be read')
      }
      await clock.sleep(MINUTE_MS, ended.signal)
    }
  }

  async function runOnce(): Promise<boolean> {
    if (!(await takeTurn(sql, 'trust', options.holder, TURN_SECONDS))) return false
    const list = await reader.named(trust.list)
    await reader.learnProviders()
    const ranked = await reader.ranked(await readRankable(sql, { limit: RANKED_KEYS }))
    const mutes = await Promise.all(operators.map((key) => reader.named(muteListOf(key))))
    const changes = await inTransaction(sql, async (tx) => {
      const { tier } = trust
      const { keys } = list
      const byList = list.complete
        ? await applyTrust(tx, { source: 'list', tier, keys })
        : undefined
      const byRank = ranked.complete
        ? await applyTrust(tx, { source: 'rank', tier, keys: ranked.keys })
        : { granted: await addRanked(tx, tier, ranked.keys), takenBack: 0 }
      const muted = await applyMutes(tx, {
        keys: mutes.flatMap((known) => known.keys),
        lift: mutes.every(({ complete }) => complete),
      })
      return { byList, byRank, muted }
    })
    log.info(changes, 'the lists of whom to trust were read')
    return true
  }

  async function rankNewcomers(): Promise<number> {
    const recent = { limit: RANKED_KEYS, newerThanSeconds: NEWCOMER_SECONDS }
    const fresh = await readRankable(sql, recent)
    if (fresh.length === 0) return 0
    const { keys } = await reader.ranked(fresh)
    return keys.length === 0 ? 0 : inTransaction(sql, (tx) => addRanked(tx, trust.tier, keys))
  }
}
