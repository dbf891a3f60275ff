import type { Clock } from '../clock.ts'
import { REPORT_EVERY_MS } from '../limits.ts'
import type { Log } from '../log.ts'
import type { Sql } from '../store/database.ts'
import { forgetReplica, type ReplicaFacts, reportReplica } from '../store/replicas.ts'

export interface SurroundingsOptions {
  sql: Sql
  /** The operator's relays; `liveSince` is in milliseconds of `clock`. */
  relays(): { url: string; state: string; liveSince: number | undefined }[]
  lnbits: { balanceMsat(): Promise<bigint> }
  /** Whether the websocket of LNbits is up. */
  eventsUp(): boolean
  backend: string
  /** Address of the status port. */
  http(): string
  holder: string
  version: string
  clock: Clock
  log: Log
  /** Called after each look, whether or not the database took it. */
  looked?(facts: ReplicaFacts): void
}

/** What this replica knows of relays and LNbits, kept in a row so that every command can show it. */
export interface Surroundings {
  start(): void
  runOnce(): Promise<ReplicaFacts>
  /** LNbits has been silent for a minute: invoices and payments wait. */
  isDegraded(): boolean
  stop(): Promise<void>
}

/** Shorter silences are a restart of LNbits and no news. */
const DOWN_MS = 60_000
/** While nothing changes, once in so many looks LNbits is asked and the row is written. */
const LOOKS = 3

export function createSurroundings(options: SurroundingsOptions): Surroundings {
  const { sql, holder, version, clock, log } = options
  const ended = new AbortController()
  const startedAt = clock.now()
  const deafSince = new Map<string, number>()
  let lnbits: { up: boolean; balanceSats: number | null; downSince: number | undefined } | undefined
  let looks = 0
  let lastTold = ''
  let loop: Promise<void> | undefined

  return {
    start() {
      loop ??= run()
    },
    runOnce,
    isDegraded() {
      return clock.now() - (lnbits?.downSince ?? clock.now()) > DOWN_MS
    },
    async stop() {
      ended.abort()
      await loop
      await forgetReplica(sql, holder).catch(() => {})
    },
  }

  async function run(): Promise<void> {
    while (!ended.signal.aborted) {
      try {
        await runOnce()
      } catch (error) {
        log.debug({ err: error }, 'what this replica knows could not be stored')
      }
      await clock.sleep(REPORT_EVERY_MS, ended.signal)
    }
  }

  async function runOnce(): Promise<ReplicaFacts> {
    const due = looks % LOOKS === 0
    if (due || lnbits?.up === false) await askLnbits()
    looks += 1
    const facts = factsNow()
    options.looked?.(facts)
    const told = brief(facts)
    if (!due && told === lastTold) return facts
    lastTold = told
    const upSeconds = (clock.now() - startedAt) / 1000
    await reportReplica(sql, { holder, version, facts, upSeconds })
    return facts
  }

  async function askLnbits(): Promise<void> {
    try {
      const balanceSats = Math.floor(Number(await options.lnbits.balanceMsat()) / 1000)
      lnbits = { up: true, balanceSats, downSince: undefined }
    } catch {
      lnbits = { up: false, balanceSats: null, downSince: lnbits?.downSince ?? clock.now() }
    }
  }

  function factsNow(): ReplicaFacts {
    const now = clock.now()
    const relays = options.relays().map(({ url, state, liveSince }) => {
      if (liveSince !== undefined) deafSince.delete(url)
      else if (!deafSince.has(url)) deafSince.set(url, now)
      const since = deafSince.get(url)
      return {
        url,
        state,
        liveMs: liveSince === undefined ? null : Math.max(0, now - liveSince),
        deafMs: since === undefined ? null : now - since,
      }
    })
    return {
      relays,
      lnbits: {
        up: lnbits?.up ?? false,
        events: options.eventsUp(),
        balanceSats: lnbits?.balanceSats ?? null,
        downMs: lnbits?.downSince === undefined ? null : now - lnbits.downSince,
      },
      backend: options.backend,
      http: options.http(),
    }
  }
}

/** What has to be in the row at once when it changes. */
const brief = ({ relays, lnbits }: ReplicaFacts): string =>
  JSON.stringify([
    relays.map(({ url, state, liveMs }) => [url, state, liveMs === null]),
    [lnbits.up, lnbits.events],
  ])
