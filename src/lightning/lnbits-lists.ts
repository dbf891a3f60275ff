import { LNBITS_HASHES } from '../limits.ts'
import type { Caller, ReadOptions } from './lnbits-call.ts'
import { LnbitsError } from './lnbits-error.ts'
import {
  instantSeconds,
  type PaymentJson,
  pageShape,
  paymentShape,
  rowState,
} from './lnbits-shapes.ts'

export type ListedState = 'paid' | 'pending' | 'failed'

/** One row of LNbits' books, as reconciliation reads them. Amount and fee are never negative. */
export interface ListedPayment {
  paymentHash: string
  checkingId: string
  direction: 'in' | 'out'
  amountSats: number
  amountMsat: bigint
  feeMsat: bigint
  status: 'success' | 'pending' | 'failed'
  /** Unix seconds the row was made. */
  time: number
  tag: string | undefined
}

export interface Lists {
  listIncoming(paymentHashes: string[]): Promise<Map<string, ListedState>>
  listSince(unixSeconds: number): AsyncGenerator<ListedPayment>
}

const PAGE_ROWS = 1000
/** Rows of one look at what changed last; more are asked for only when more have changed. */
const RECENT_ROWS = 100
/** Pages of changes read in one look. What is missed then is found by the look at each hash. */
const RECENT_PAGES = 20
/** Rows are committed a little out of the order of their instants. */
const RECENT_OVERLAP_SECONDS = 10
/** Paid hashes remembered, so that one is named again until its look has succeeded. */
const PAID_REMEMBERED = 20_000

type Query = Record<string, string>
type Page = (
  query: Query,
  options?: ReadOptions,
) => Promise<{ rows: PaymentJson[]; size: number; total: number }>

function createPage(caller: Caller, invoiceKey: string): Page {
  return async (query, options = {}) => {
    const path = `/payments/paginated?${new URLSearchParams(query)}`
    const { data, total } = await caller.read(path, pageShape, { key: invoiceKey, ...options })
    const rows = data.map((row) => paymentShape.safeParse(row))
    return {
      rows: rows.flatMap((row) => (row.success ? [row.data] : [])),
      size: data.length,
      total,
    }
  }
}

/** Remembers what was paid, read by what changed last: one request in quiet times. */
function createChanges(page: Page) {
  /** LNbits' own time of the newest change seen, Unix seconds. */
  let seenUpTo = 0
  const paid = new Set<string>()

  return {
    isPaid: (paymentHash: string) => paid.has(paymentHash),
    /** What was paid since the last look, whichever invoices are open. */
    async read(): Promise<void> {
      const found: PaymentJson[] = []
      let newest = seenUpTo
      for (let at = 0; at < RECENT_PAGES; at++) {
        const { rows, size } = await page({
          status: 'success',
          'amount[gt]': '0',
          sortby: 'updated_at',
          direction: 'desc',
          limit: String(RECENT_ROWS),
          offset: String(at * RECENT_ROWS),
        })
        found.push(...rows)
        const instants = rows.map((row) => instantSeconds(row.updated_at) ?? 0)
        newest = Math.max(newest, ...instants)
        const oldest = Math.min(...instants)
        // Without the last condition the end of a burst would be read in full by every look after it.
        const isLast =
          size < RECENT_ROWS ||
          oldest < seenUpTo - RECENT_OVERLAP_SECONDS ||
          rows.every((row) => paid.has(row.payment_hash))
        if (isLast) break
      }
      seenUpTo = newest
      for (const row of found) {
        if (row.amount > 0 && rowState(row) === 'success') paid.add(row.payment_hash)
      }
      for (const oldest of paid) {
        if (paid.size <= PAID_REMEMBERED) break
        paid.delete(oldest)
      }
    },
  }
}

async function rowsOf(page: Page, paymentHashes: string[]): Promise<PaymentJson[]> {
  const found: PaymentJson[] = []
  for (let at = 0; at < paymentHashes.length; at += LNBITS_HASHES) {
    const { rows } = await page({
      'payment_hash[in]': paymentHashes.slice(at, at + LNBITS_HASHES).join(','),
      sortby: 'time',
      direction: 'desc',
      limit: String(PAGE_ROWS),
    })
    found.push(...rows)
  }
  return found
}

export function createLists(caller: Caller, invoiceKey: string): Lists {
  const page = createPage(caller, invoiceKey)
  const changes = createChanges(page)
  let sortsByChange = true

  return {
    /**
     * What LNbits already knows of these hashes; it does not ask its node (trap 25). At most a
     * hundred are asked for by name, in one request. Of more, only those paid since the last look
     * come back, in one request too, so that ten thousand open invoices cost LNbits no more than
     * ten.
     */
    async listIncoming(paymentHashes) {
      const wanted = new Set(paymentHashes)
      const states = new Map<string, ListedState>()
      if (wanted.size === 0) return states
      if (wanted.size > LNBITS_HASHES && sortsByChange) {
        try {
          await changes.read()
          for (const hash of wanted) if (changes.isPaid(hash)) states.set(hash, 'paid')
          return states
        } catch (error) {
          if (!(error instanceof LnbitsError) || error.kind !== 'refused') throw error
          // A version that cannot sort by change is asked by name, in as many requests as that
          // takes.
          sortsByChange = false
        }
      }
      const rows = await rowsOf(page, paymentHashes)
      for (const row of rows) {
        // Filters that LNbits does not know are left out without a word (trap 14).
        if (!wanted.has(row.payment_hash) || row.amount <= 0) continue
        const state = rowState(row)
        if (state) states.set(row.payment_hash, state === 'success' ? 'paid' : state)
      }
      return states
    },

    /** All rows made since then, oldest first, each once. Throws `LnbitsError` in the midst. */
    async *listSince(unixSeconds) {
      const seen = new Set<string>()
      for (let offset = 0; ; ) {
        const { rows, size, total } = await page({
          'time[ge]': String(unixSeconds),
          sortby: 'time',
          direction: 'asc',
          limit: String(PAGE_ROWS),
          offset: String(offset),
        })
        if (rows.length !== size) throw new LnbitsError('malformed')
        const known = seen.size
        for (const row of rows) {
          const listed = listedPayment(row)
          if (seen.has(listed.checkingId)) continue
          seen.add(listed.checkingId)
          if (listed.time >= unixSeconds) yield listed
        }
        offset += size
        if (offset >= total) return
        // Whoever overlooks the offset, a cache perhaps, would give the same page for ever.
        if (seen.size === known) throw new LnbitsError('malformed')
      }
    },
  }
}

function listedPayment(row: PaymentJson): ListedPayment {
  const status = rowState(row)
  const time = instantSeconds(row.time)
  if (status === undefined || time === undefined) throw new LnbitsError('malformed')
  const amountMsat = BigInt(Math.abs(row.amount))
  return {
    paymentHash: row.payment_hash,
    checkingId: row.checking_id ?? `${row.payment_hash}${row.amount}`,
    direction: row.amount < 0 ? 'out' : 'in',
    amountMsat,
    amountSats: Number(amountMsat / 1000n),
    feeMsat: BigInt(Math.ceil(Math.abs(row.fee ?? 0))),
    status,
    time,
    tag: row.tag ?? undefined,
  }
}
