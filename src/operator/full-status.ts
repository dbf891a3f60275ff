import { createHmac } from 'node:crypto'
import { z } from 'zod'
import type { MoneyRules } from '../money/rules.ts'
import { tiers } from '../money/tiers.ts'
import { encrypt } from '../nostr/nip44.ts'
import type { EventTemplate, Identity } from '../nostr/types.ts'
import type { Sql } from '../store/database.ts'
import { type LastDay, readLastDay } from '../store/overview.ts'
import { attentionOf, type Overview, readOverview } from './overview.ts'
import { expiresAt, POOL_STATUS_KIND, poolStates } from './pool-status.ts'
import type { StatusMoment } from './status-loop.ts'

/*
 * The status for operators alone: one event for each of them, encrypted by NIP-44, beside the public one and
 * at the same time. No `p` tag, because it would tell the world who runs the bot; an operator finds it by its
 * `d`, which only the two keys of the conversation can make.
 */

const FULL_STATUS_SCHEMA = 'tithe.pool-status-full/1'

const sats = z.int()
const count = z.int().min(0)
const stateNames = Object.keys(poolStates)

/** The decrypted content. Fields may be added: readers ignore what they do not know. */
export const fullStatusContent = z.object({
  schema: z.literal(FULL_STATUS_SCHEMA),
  /** Unix seconds, the same as the event's `created_at`. */
  at: count,
  /** Head of the ledger. */
  seq: count,
  state: z.enum(stateNames),
  /** What needs a hand, in words. */
  reasons: z.array(z.string()),
  balance_sats: z.object({
    pool: count,
    promised: count,
    available: count,
    customers: count,
    operator: sats,
    lightning: count,
    /** As LNbits says; null when it did not answer. */
    lnbits: sats.nullable(),
  }),
  /** Off by this much: the books among themselves, and LNbits against them (null: not compared). */
  ledger_drift_sats: sats,
  lightning_drift_sats: sats.nullable(),
  outflow: z.object({ limit_sats: count, used_sats: count }),
  daily_budgets_sats: z.record(z.enum(tiers), count),
  counts_24h: z.object({
    requests: count,
    free: count,
    partial: count,
    gate: count,
    refused: count,
    failed: count,
    expired: count,
  }),
  invoices: z.object({ open: count, open_sats: count, paid_24h: count, paid_sats_24h: count }),
  shortfall: z.object({ count_24h: count, total_sats_24h: count }),
  withdrawals: z.object({ open: count, unknown: count, unknown_sats: count }),
  queues: z.array(
    z.object({ lane: z.string(), open: count, due: count, oldest_due_seconds: count.nullable() }),
  ),
  undelivered: count,
  relays: z.array(z.object({ relay: z.string(), state: z.string(), live: z.boolean() })),
  replicas: z.array(z.object({ name: z.string(), version: z.string(), up_seconds: count })),
})

export type FullStatus = z.infer<typeof fullStatusContent>

/** The `d` of the event for one operator; either of the two keys makes it, nobody else can. */
export function fullStatusLabel(conversationKey: Uint8Array): string {
  const mac = createHmac('sha256', conversationKey).update('tithe/pool-status-full').digest('hex')
  return `tithe/pool-status-full/${mac.slice(0, 32)}`
}

/** Makes the events of one moment, one for each operator (hex keys). */
export function createFullStatus(options: {
  sql: Sql
  rules: MoneyRules
  identity: Identity
  operators: readonly string[]
}): (moment: StatusMoment) => Promise<EventTemplate[]> {
  const { sql, rules, identity, operators } = options
  return async (moment) => {
    const [overview, day] = await Promise.all([readOverview(sql, rules), readLastDay(sql)])
    const text = JSON.stringify(contentOf(moment, overview, day))
    return operators.map((operator) => {
      const key = identity.conversationKey(operator)
      return {
        kind: POOL_STATUS_KIND,
        created_at: moment.at,
        tags: [
          ['d', fullStatusLabel(key)],
          ['encrypted', 'nip44'],
          ['expiration', String(expiresAt(moment.at, moment.intervalSeconds))],
        ],
        content: encrypt(text, key),
      }
    })
  }
}

function contentOf({ at, seq, state }: StatusMoment, overview: Overview, day: LastDay): FullStatus {
  const { figures, balances, waiting, drift, lnbits } = overview
  const { pool } = figures
  const { requests, free, partial, gate, refused, failed, expired } = day
  return {
    schema: FULL_STATUS_SCHEMA,
    at,
    seq,
    state,
    reasons: attentionOf(overview),
    balance_sats: {
      pool: pool.balanceSats,
      promised: pool.openPromisesSats,
      available: Math.max(0, pool.balanceSats - pool.openPromisesSats),
      customers: balances.customersSats,
      operator: balances.operatorSats,
      lightning: balances.lightningSats,
      lnbits: lnbits?.balanceSats ?? null,
    },
    ledger_drift_sats: drift.ledgerSats,
    lightning_drift_sats: drift.lightningSats,
    outflow: { limit_sats: figures.outflowLimitSats, used_sats: pool.absorbedTodaySats },
    daily_budgets_sats: figures.budgets,
    counts_24h: { requests, free, partial, gate, refused, failed, expired },
    invoices: {
      open: waiting.openInvoices,
      open_sats: waiting.openInvoicesSats,
      paid_24h: day.paidInvoices,
      paid_sats_24h: day.paidInvoicesSats,
    },
    shortfall: { count_24h: day.shortfalls, total_sats_24h: day.shortfallsSats },
    withdrawals: {
      open: waiting.openWithdrawals,
      unknown: waiting.unknownWithdrawals,
      unknown_sats: waiting.unknownWithdrawalsSats,
    },
    queues: overview.queues.map(({ lane, open, due, oldestDueSeconds }) => ({
      lane,
      open,
      due,
      oldest_due_seconds: oldestDueSeconds === null ? null : Math.floor(oldestDueSeconds),
    })),
    undelivered: waiting.undelivered,
    relays: overview.relays.map(({ relay, state: its, liveMs }) => ({
      relay,
      state: its,
      live: liveMs !== null,
    })),
    replicas: overview.replicas.map(({ holder, version, startedAt }) => ({
      name: holder,
      version,
      up_seconds: Math.max(0, pool.nowSeconds - startedAt),
    })),
  }
}
