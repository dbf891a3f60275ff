import type { AnySql, Sql, Tx } from './database.ts'
import { lockPool, movements, type Transfer } from './ledger.ts'
import { lightningStopped, setConfig } from './pool.ts'

/*
 * What LNbits must hold, by our books:
 *
 *   balance = lightning + float + dust − what withdrawals in flight may have taken already
 *
 * `lightning` is the ledger's account. The float is the operator's own: sats in the wallet that the
 * ledger does not know, declared once as `lightning_float_sats` in `timmy_config`. Dust is what was
 * lost to rounding, in millisats: the ledger books fees rounded up to a sat, and LNbits takes them
 * exactly.
 */

export async function isLightningStopped(sql: AnySql): Promise<boolean> {
  const [row] = await sql<
    { stopped: boolean }[]
  >`select ${lightningStopped(sql)} as stopped`.execute()
  return row?.stopped ?? false
}

/** One moment of our side of the comparison. */
export interface LightningBooks {
  lightningSats: number
  /** Undeclared as long as no look has been taken. */
  floatSats: number | null
  dustMsat: number
  /** Amounts and reserves of withdrawals that LNbits may have paid, or not. */
  inFlightSats: number
  /** Invoices that may be paid and not booked yet. */
  openInvoices: number
}

export async function readLightningBooks(sql: AnySql): Promise<LightningBooks> {
  const [row] = await sql<LightningBooks[]>`
    select
      (select balance_sats from accounts where name = 'lightning') as lightning_sats,
      (select value::text::bigint from timmy_config where key = 'lightning_float_sats')
        as float_sats,
      coalesce((select value::text::bigint from timmy_config where key = 'lightning_dust_msat'), 0)
        as dust_msat,
      coalesce((
        select sum(held_sats) from withdrawals where state in ('sent', 'unknown')
      ), 0)::bigint as in_flight_sats,
      (select count(*) from invoices where look_at is not null) as open_invoices`.execute()
  if (!row) throw new Error('the accounts are missing: the database was not migrated')
  return row
}

/** Books the rounding of fees. Call it under the pool's lock, where the fees are booked. */
export async function addDust(tx: Tx, msat: number): Promise<void> {
  if (msat === 0) return
  await tx`
    insert into timmy_config as c (key, value)
    values ('lightning_dust_msat', to_jsonb(${msat}::bigint))
    on conflict (key) do update set
      value = to_jsonb(c.value::text::bigint + ${msat}::bigint), updated_at = now()`.execute()
}

/**
 * What the operator pays for a payment may be more than the ledger has in LNbits: a payout of all there is, with a fee
 * above its reserve. His own sats in the wallet have paid it then. They come into the books with the payment, and the
 * float is so much smaller: refused instead, a payout that was made could never be booked. Answers the transfers to
 * post. Call it under the pool's lock.
 */
export async function withOwnSats(tx: Tx, transfers: readonly Transfer[]): Promise<Transfer[]> {
  const movedSats = movements(transfers).get('lightning') ?? 0
  const out = transfers.find(({ credit }) => credit === 'lightning')
  if (movedSats >= 0 || out?.ref === undefined) return [...transfers]
  const [row] = await tx<{ balanceSats: number }[]>`
    select balance_sats from accounts where name = 'lightning'`.execute()
  const lackSats = -((row?.balanceSats ?? 0) + movedSats)
  if (lackSats <= 0) return [...transfers]
  const { ref, day } = out
  await lowerFloat(tx, lackSats, ref)
  const own = { kind: 'own_sats', debit: 'lightning', credit: 'operator', sats: lackSats } as const
  return [{ ...own, ref, day }, ...transfers]
}

/** An undeclared float is what is found in the wallet at the first look: without these sats already. */
async function lowerFloat(tx: Tx, sats: number, reason: string): Promise<void> {
  const before = await readFloat(tx)
  if (before === undefined) return
  await setFloat(tx, { floatSats: before - sats, reason, before })
}

/** What the last look found, for every replica. */
export interface Verdict {
  stopped: boolean
  /** LNbits' balance less what explains it; 0 when it is explained. */
  driftSats: number
}

export async function readVerdict(sql: AnySql): Promise<Verdict | undefined> {
  const [row] = await sql<{ value: Verdict }[]>`
    select value from timmy_config where key = 'solvency'`.execute()
  return row?.value
}

/** Writes a verdict; a change of it takes effect in every transaction that begins afterwards. */
export function writeVerdict(sql: AnySql, verdict: Verdict): Promise<void> {
  return setConfig(sql, 'solvency', verdict)
}

/**
 * Declares the operator's own sats in LNbits, and keeps who changed them to what and why.
 * Answers the float of before, null when it was undeclared.
 */
export async function declareFloat(
  tx: Tx,
  { floatSats, reason }: { floatSats: number; reason: string },
): Promise<number | null> {
  await lockPool(tx)
  const before = await readFloat(tx)
  await setFloat(tx, { floatSats, reason, before })
  return before ?? null
}

async function readFloat(tx: Tx): Promise<number | undefined> {
  const [row] = await tx<{ floatSats: number }[]>`
    select value::text::bigint as float_sats from timmy_config
    where key = 'lightning_float_sats'`.execute()
  return row?.floatSats
}

async function setFloat(
  tx: Tx,
  { floatSats, reason, before }: { floatSats: number; reason: string; before: number | undefined },
): Promise<void> {
  await setConfig(tx, 'lightning_float_sats', floatSats)
  const entry = tx`jsonb_build_object('at', now(), 'from', ${before ?? null}::bigint,
    'to', ${floatSats}::bigint, 'reason', ${reason}::text)`
  await tx`
    insert into timmy_config as c (key, value)
    values ('lightning_float_log', jsonb_build_array(${entry}))
    on conflict (key) do update set
      value = c.value || jsonb_build_array(${entry}), updated_at = now()`.execute()
}

/** The first sight of a wallet: what is in it beyond the ledger is the operator's. Once, for ever. */
export async function declareFirstFloat(
  sql: AnySql,
  { floatSats, dustMsat }: { floatSats: number; dustMsat: number },
): Promise<boolean> {
  const rows = await sql`
    with first as (
      insert into timmy_config (key, value)
      values ('lightning_float_sats', to_jsonb(${floatSats}::bigint))
      on conflict (key) do nothing
      returning key
    ), dust as (
      insert into timmy_config (key, value)
      select 'lightning_dust_msat', to_jsonb(${dustMsat}::bigint) from first
      on conflict (key) do update set value = excluded.value
    )
    select key from first`.execute()
  return rows.length > 0
}

/** Invoices of these hashes that are not booked as paid; each is looked at again at once. */
export async function lookAgainAt(sql: Sql, paymentHashes: readonly string[]): Promise<string[]> {
  const rows = await sql<{ paymentHash: string }[]>`
    update invoices set look_at = now(),
      state = case when state = 'given_up' then 'expired' else state end
    where payment_hash = any(${[...paymentHashes]}::text[]) and state <> 'paid'
    returning payment_hash`
  return rows.map((row) => row.paymentHash)
}
