import { z } from 'zod'
import { parseJson } from '../json.ts'
import { ALL_SATS } from '../limits.ts'
import type { Serve } from '../money/decide.ts'
import { type Tier, tiers } from '../money/tiers.ts'
import type { EventTemplate, NostrEvent } from '../nostr/types.ts'

/**
 * The public pool status: an addressable event (NIP-01, kind 30078 of NIP-78) that relays keep the
 * latest of. Figures are in the content alone; tags exist to find, filter and expire it. Amounts
 * are sats and say so in their name, since a bare `amount` means millisats elsewhere on Nostr.
 */

export const POOL_STATUS_KIND = 30_078
const POOL_STATUS_D = 'tithe/pool-status'
const POOL_STATUS_SCHEMA = 'tithe.pool-status/1'

/** What a customer can expect now, and the sentence beside it in the event. */
export const poolStates = {
  open: 'free, partial and paid jobs accepted',
  limited: 'free work is nearly used up for today, paid jobs accepted',
  'paid-only': 'no free work now, paid jobs accepted',
  paused: 'not accepting jobs',
  degraded: 'accepting jobs with delays',
} as const

export type PoolState = keyof typeof poolStates

const stateNames = Object.keys(poolStates).filter((name): name is PoolState => name in poolStates)
const sats = z.int().min(0).max(ALL_SATS)
const count = z.int().min(0)
const counts = z.object({ free: count, partial: count, gate: count })
const serve = z.enum(['free', 'partial', 'gate'])

const common = {
  schema: z.literal(POOL_STATUS_SCHEMA),
  /** Unix seconds, the same as the event's `created_at`. */
  at: z.int().min(0),
  /** Grows with the ledger; a fall means that an older state of the books was put back. */
  seq: z.int().min(0),
  state: z.enum(stateNames),
  /** Next midnight UTC, Unix seconds. */
  resets_at: z.int().min(0),
  version: z.string().max(100),
}

const exact = z.object({
  ...common,
  balance_sats: sats,
  daily_budgets_sats: z.record(z.enum(tiers), sats),
  /** The breaker: the share of the day's opening pool that may leave in this UTC day. */
  outflow: z.object({ limit_sats: sats, used_sats: sats }),
  today: z.object({
    jobs: counts,
    absorbed_sats: sats,
    credited_sats: sats,
    shortfall_sats: sats,
  }),
})

const coarse = z.object({
  ...common,
  /** Balance as a share of the seed, in steps of 25, at most 100. */
  pool_pct: z.int().min(0).max(100).multipleOf(25),
  /** What a typical request of a fresh key of that tier gets. */
  tiers: z.record(z.enum(tiers), serve),
  /** Counts in steps of 5, rounded down. */
  today: z.object({ jobs: counts }),
})

/** Content of the event, version 1. Fields may be added: readers ignore what they do not know. */
export const poolStatusContent = z.union([exact, coarse])

export type PoolStatusContent = z.infer<typeof poolStatusContent>

/** The same as a JSON Schema (2020-12), for readers in other languages: docs/pool-status.schema.json. */
export const poolStatusJsonSchema = () => ({
  title: `Content of a tithe pool status, ${POOL_STATUS_SCHEMA}`,
  ...z.toJSONSchema(poolStatusContent, { io: 'input' }),
})

export interface PoolStatusFigures {
  /** Unix seconds by the database's clock. */
  at: number
  /** Head of the ledger. */
  seq: number
  state: PoolState
  balanceSats: number
  budgets: Record<Tier, number>
  outflow: { limitSats: number; usedSats: number }
  today: {
    jobs: Record<Serve, number>
    absorbedSats: number
    creditedSats: number
    shortfallSats: number
  }
  version: string
  intervalSeconds: number
}

/** The two ways of telling; the coarse one needs to know what is full and what is typical. */
export type PoolStatusDetail =
  | { mode: 'exact' }
  | { mode: 'coarse'; seedSats: number; typicalSats: number }

/** Unsigned event of these figures. `created_at` is `at`, so the caller keeps `at` growing. */
export function poolStatusEvent(
  figures: PoolStatusFigures,
  detail: PoolStatusDetail = { mode: 'exact' },
): EventTemplate {
  const { at, seq, state, intervalSeconds } = figures
  const content = detail.mode === 'exact' ? exactContent(figures) : coarseContent(figures, detail)
  return {
    kind: POOL_STATUS_KIND,
    created_at: at,
    tags: [
      ['d', POOL_STATUS_D],
      ['t', 'tithe-pool-status'],
      ['status', state, poolStates[state]],
      ['interval', String(intervalSeconds)],
      ['seq', String(seq)],
      ['expiration', String(expiresAt(at, intervalSeconds))],
    ],
    content: JSON.stringify(content),
  }
}

/** NIP-40 time, Unix seconds: three missed intervals and a minute for slow relays. */
export const expiresAt = (at: number, intervalSeconds: number) => at + 3 * intervalSeconds + 60

const DAY_SECONDS = 86_400

function head({ at, seq, state, version }: PoolStatusFigures) {
  const resets_at = (Math.floor(at / DAY_SECONDS) + 1) * DAY_SECONDS
  return { schema: POOL_STATUS_SCHEMA, at, seq, state, resets_at, version } as const
}

function exactContent(figures: PoolStatusFigures): z.infer<typeof exact> {
  const { balanceSats, budgets, outflow, today } = figures
  return {
    ...head(figures),
    balance_sats: balanceSats,
    daily_budgets_sats: budgets,
    outflow: { limit_sats: outflow.limitSats, used_sats: outflow.usedSats },
    today: {
      jobs: today.jobs,
      absorbed_sats: today.absorbedSats,
      credited_sats: today.creditedSats,
      shortfall_sats: today.shortfallSats,
    },
  }
}

function coarseContent(
  figures: PoolStatusFigures,
  { seedSats, typicalSats }: { seedSats: number; typicalSats: number },
): z.infer<typeof coarse> {
  const { balanceSats, budgets, outflow, today } = figures
  const full = seedSats > 0 ? Math.min(1, balanceSats / seedSats) : Number(balanceSats > 0)
  const leftSats = Math.min(balanceSats, Math.max(0, outflow.limitSats - outflow.usedSats))
  const served = (tier: Tier): Serve => {
    const roomSats = Math.min(budgets[tier], leftSats)
    if (roomSats === 0) return 'gate'
    return roomSats >= typicalSats ? 'free' : 'partial'
  }
  const fives = (value: number) => Math.floor(value / 5) * 5
  return {
    ...head(figures),
    pool_pct: Math.floor(full * 4) * 25,
    tiers: {
      new: served('new'),
      established: served('established'),
      trusted: served('trusted'),
      elite: served('elite'),
    },
    today: {
      jobs: {
        free: fives(today.jobs.free),
        partial: fives(today.jobs.partial),
        gate: fives(today.jobs.gate),
      },
    },
  }
}

export type PoolStatusReading =
  | {
      ok: true
      status: PoolStatusContent
      /** From this Unix second on the status says nothing about the present. */
      staleAt: number
    }
  | { ok: false; reason: 'kind' | 'd' | 'json' | 'schema' | 'time' | 'sequence' }

/**
 * Reads a pool status for whoever follows one. The event must have been verified (id and signature,
 * NIP-01) and be of the expected author before; of several, the one with the highest `created_at`
 * counts, and of equals the one with the lowest id. Never throws.
 */
export function readPoolStatus(event: NostrEvent | EventTemplate): PoolStatusReading {
  if (event.kind !== POOL_STATUS_KIND) return { ok: false, reason: 'kind' }
  if (tagOf(event, 'd') !== POOL_STATUS_D) return { ok: false, reason: 'd' }
  const json = parseJson(event.content)
  if (!json.ok) return { ok: false, reason: 'json' }
  const content = poolStatusContent.safeParse(json.value)
  if (!content.success) return { ok: false, reason: 'schema' }
  const status = content.data
  // Two dates would let a relay's copy look fresher than its figures.
  if (status.at !== event.created_at) return { ok: false, reason: 'time' }
  if (tagOf(event, 'seq') !== String(status.seq)) return { ok: false, reason: 'sequence' }
  const interval = seconds(tagOf(event, 'interval'))
  const expiration = seconds(tagOf(event, 'expiration'))
  if (interval === undefined || expiration === undefined) return { ok: false, reason: 'time' }
  return { ok: true, status, staleAt: Math.min(expiration, status.at + 3 * interval) }
}

function tagOf(event: EventTemplate, name: string): string | undefined {
  return event.tags.find((tag) => tag[0] === name)?.[1]
}

function seconds(text: string | undefined): number | undefined {
  return text && /^[1-9]\d{0,11}$/.test(text) ? Number(text) : undefined
}
