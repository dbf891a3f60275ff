import { addUpBooks } from '../../src/books.ts'
import { defaultMoneyRules, type MoneyRules } from '../../src/money/rules.ts'
import type { PlayLnbits } from '../../src/sandbox/lnbits.ts'
import type { PlayRow } from '../../src/sandbox/lnbits-books.ts'
import { readBreaches } from '../../src/store/audit.ts'
import type { AnySql, Sql } from '../../src/store/database.ts'
import { verifySeals } from '../../src/store/seals.ts'

/*
 * The invariants as questions to a database, to the play-money LNbits and to what relays hold. Each answers what is
 * broken, in words; nothing is broken when the list is empty.
 *
 * C1   every sat is conserved across the accounts
 * C2   no account is below zero except the operator's
 * C3   by LNbits' own books a job is paid out once at most and never above what is due
 * C4   the log of grants only grows
 * C5   a day's counter is the sum of what the pool absorbed on that day
 * C6   an estimate changes no row but those of its own message
 * C7   of a free job the debit is committed before the backend is called
 * C8   tier `new` never receives a grant
 * C9   a request has one job, and one reply for each step
 * C10  what was earned as grants is the ratio of what was paid, at most
 * C11  LNbits' balance is the ledger's `lightning` account, and what of it is explained
 * C12  no prompt, result, key, invoice or preimage stands in a log, error, metric or process argument
 */

export interface Evidence {
  sql: Sql
  play: PlayLnbits
  rules?: Partial<MoneyRules>
  /** What the bot's wallet held before the first job, sats. */
  floatSats?: number
}

/** C1, C2, C3, C5, C8, C10 and C11 at one quiet moment. */
export async function brokenBooks(evidence: Evidence): Promise<string[]> {
  const { sql } = evidence
  const rules = { ...defaultMoneyRules, ...evidence.rules }
  const [books, breaches, below] = await Promise.all([
    addUpBooks(sql),
    readBreaches(sql, rules),
    belowZero(sql),
  ])
  return [
    ...books.drift.map((drift) => `C1 ${JSON.stringify(drift)}`),
    ...(books.driftSats === 0 ? [] : [`C1 the accounts are off by ${books.driftSats} sats`]),
    ...below.map((name) => `C2 ${name} is below zero`),
    ...breaches.map(({ rule, rows }) => `C5, C8, C10: ${rows} rows break "${rule}"`),
    ...(await brokenPayouts(evidence)),
    ...(await brokenPayments(evidence)),
    ...(await brokenBalance(evidence)),
  ]
}

/** What came into the books of the operator's own sats in the wallet. */
export const broughtIn = (sql: AnySql) =>
  sql`(select coalesce(sum(sats), 0) from transfers where kind = 'own_sats')::bigint`

/** How far LNbits and the ledger are apart, sats; 0 when nothing was lost, doubled or invented. */
export async function driftSats(evidence: Evidence): Promise<number> {
  const { sql, play, floatSats = 0 } = evidence
  const [ours] = await sql<{ lightningSats: number; dustMsat: number }[]>`
    select balance_sats - ${broughtIn(sql)} as lightning_sats, coalesce((
      select value::text::bigint from timmy_config where key = 'lightning_dust_msat'
    ), 0) as dust_msat
    from accounts where name = 'lightning'`
  const hasMsat = play.balanceMsat(play.bot.walletId)
  const unbooked = await unbookedMsat(evidence)
  const booksMsat = (floatSats + (ours?.lightningSats ?? 0)) * 1000 + (ours?.dustMsat ?? 0)
  return (hasMsat - booksMsat - unbooked) / 1000
}

async function belowZero(sql: Sql): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`
    select name from accounts where balance_sats < 0 and name <> 'operator'
    union all select 'customer:' || pubkey from customers where balance_sats < 0
    union all select 'job:' || id from jobs where held_sats < 0
    union all select 'withdrawal:' || id from withdrawals where held_sats < 0`
  return rows.map(({ name }) => name)
}

/** C3: what left LNbits is a withdrawal of ours, once, over its amount, and what is done has left. */
async function brokenPayouts({ sql, play }: Evidence): Promise<string[]> {
  const withdrawals = await sql<{ paymentHash: string; state: string; amountSats: number }[]>`
    select payment_hash, state, amount_sats from withdrawals`
  const byHash = new Map(withdrawals.map((row) => [row.paymentHash, row]))
  const sent = play.books().filter((row) => isOut(row, play) && row.status === 'success')
  const broken = sent.flatMap((row) => {
    const due = byHash.get(row.paymentHash)
    if (due === undefined) return [`C3 nobody asked for the payout of ${row.amountMsat} msat`]
    if (due.state === 'failed') return [`C3 a withdrawal failed and was paid`]
    return row.amountMsat === -due.amountSats * 1000 ? [] : ['C3 a payout of another amount']
  })
  for (const [paymentHash, times] of play.node.paid()) {
    if (times > 1) broken.push(`C3 ${paymentHash.slice(0, 8)} was paid ${times} times`)
  }
  const paidHashes = new Set(sent.map((row) => row.paymentHash))
  for (const { state, paymentHash } of withdrawals) {
    if (state === 'done' && !paidHashes.has(paymentHash)) {
      broken.push('C3 a withdrawal is done and nothing was paid')
    }
  }
  return broken
}

/** C3: no invoice is booked that LNbits does not call paid, and none with another amount. */
async function brokenPayments({ sql, play }: Evidence): Promise<string[]> {
  const booked = await sql<{ paymentHash: string; amountSats: number }[]>`
    select payment_hash, amount_sats from invoices where state = 'paid'`
  const rows = new Map(paidIn(play).map((row) => [row.paymentHash, row]))
  return booked.flatMap(({ paymentHash, amountSats }) =>
    rows.get(paymentHash)?.amountMsat === amountSats * 1000
      ? []
      : [`C3 the invoice ${paymentHash.slice(0, 8)} is booked and LNbits was not paid`],
  )
}

/** Payments of LNbits' books that no invoice of ours is marked with: money that came and bought nothing, so far. */
export async function unbooked({ sql, play }: Evidence): Promise<string[]> {
  const booked = await sql<{ paymentHash: string }[]>`
    select payment_hash from invoices where state = 'paid'`
  const known = new Set(booked.map(({ paymentHash }) => paymentHash))
  return paidIn(play)
    .filter(({ paymentHash }) => !known.has(paymentHash))
    .map(({ paymentHash, amountMsat }) => {
      return `the payment ${paymentHash.slice(0, 8)} of ${amountMsat / 1000} sats was never booked`
    })
}

/** C11. */
async function brokenBalance(evidence: Evidence): Promise<string[]> {
  const drift = await driftSats(evidence)
  return Math.abs(drift) < 1e-6 ? [] : [`C11 LNbits holds ${drift} sats more than explained`]
}

/** Paid and not booked yet, less what left for withdrawals that have not ended; as LNbits counts. */
async function unbookedMsat({ sql, play }: Evidence): Promise<number> {
  const [paid, ended] = await Promise.all([
    sql<{ hash: string }[]>`select payment_hash as hash from invoices where state = 'paid'`,
    sql<{ hash: string }[]>`
      select payment_hash as hash from withdrawals where finished_at is not null`,
  ])
  const known = new Set([...paid, ...ended].map(({ hash }) => hash))
  const isOpen = (row: PlayRow) => !known.has(row.paymentHash)
  const came = paidIn(play).filter(isOpen)
  const left = play.books().filter((row) => isOut(row, play) && row.status !== 'failed')
  const sum = (rows: PlayRow[]) =>
    rows.reduce((total, row) => total + row.amountMsat - Math.abs(row.feeMsat), 0)
  return sum(came) + sum(left.filter(isOpen))
}

const isOut = (row: PlayRow, play: PlayLnbits): boolean =>
  row.walletId === play.bot.walletId && row.amountMsat < 0

/** Payments for invoices of ours; an operator's own credit has no tag. */
const paidIn = (play: PlayLnbits): PlayRow[] =>
  play
    .books()
    .filter((row) => row.walletId === play.bot.walletId && row.amountMsat > 0)
    .filter((row) => row.status === 'success' && row.tag === 'tithe')

/** C4: remembers the grants that were there, and what of them has changed since. */
export async function grantsWatch(sql: Sql): Promise<() => Promise<string[]>> {
  const before = await readGrants(sql)
  return async () => {
    const now = new Map((await readGrants(sql)).map((row) => [row.id, row.line]))
    const changed = before.filter(({ id, line }) => now.get(id) !== line)
    const { brokenAt } = await verifySeals(sql)
    return [
      ...changed.map(({ id }) => `C4 the grant ${id} was changed`),
      ...(brokenAt ? [`C4 seal ${brokenAt.seal} does not match`] : []),
    ]
  }
}

const readGrants = (sql: Sql) =>
  sql<{ id: number; line: string }[]>`
    select id, g::text as line from free_tier_grants g order by id`

/** C6: a sum over the rows of each table, to be compared with those of another moment. */
export async function tableSums(sql: Sql): Promise<Map<string, string>> {
  const tables = await sql<{ name: string }[]>`
    select relname as name from pg_class
    where relkind = 'r' and relnamespace = current_schema()::regnamespace order by relname`
  const sums = await Promise.all(
    tables.map(async ({ name }) => {
      const [row] = await sql<{ sum: string }[]>`
        select md5(coalesce(string_agg(t::text, '|' order by t::text), '')) as sum
        from ${sql(name)} t`
      return [name, row?.sum ?? ''] as const
    }),
  )
  return new Map(sums)
}

export const changedTables = (
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): string[] => [...after].flatMap(([name, sum]) => (before.get(name) === sum ? [] : [name]))

/** C7: what must be committed before the backend hears of a job; asked from another connection. */
export async function brokenStart(sql: Sql, jobId: string): Promise<string[]> {
  const [row] = await sql<{ state: string; short: boolean; unbooked: boolean }[]>`
    select state, held_sats <> paid_sats + reserved_sats as short,
      exists (
        select 1 from (values
          ('reserve', reserved_sats),
          ('hold', case when paid_from = 'balance' then paid_sats else 0 end),
          ('payment', case when paid_from = 'invoice' then paid_sats else 0 end)
        ) k (kind, sats)
        where k.sats > 0 and not exists (
          select 1 from transfers t where t.job_id = jobs.id and t.kind = k.kind and t.sats = k.sats
        )
      ) as unbooked
    from jobs where id = ${Number(jobId)}`
  if (!row) return [`C7 job ${jobId} is worked on and not there`]
  if (row.state !== 'working' || row.short || row.unbooked) {
    return [`C7 the backend was called for job ${jobId} before its sats were there`]
  }
  return []
}

/** Something that a customer asked for, by the id of its message. */
export interface Asked {
  customer: string
  rumorId: string
  /** Whether it makes a job when it is served. */
  isJob: boolean
}

/** One reply as its customer decrypted it from a relay. */
export interface Heard {
  customer: string
  /** The reply's own recomputed id: a message is the same message by its id alone. */
  rumorId: string
  about: string
  reply: Record<string, unknown> & { type: string }
}

/** C9: each message was taken in once and made one job at most, and each of its steps one reply. */
export async function brokenReplies(
  sql: Sql,
  asked: readonly Asked[],
  heard: readonly Heard[],
): Promise<string[]> {
  const jobs = await sql<{ rumorId: string; count: number }[]>`
    select rumor_id, count(*) as count from jobs group by rumor_id`
  const taken = await sql<{ rumorId: string }[]>`select rumor_id from inbox`
  const jobCounts = new Map(jobs.map((row) => [row.rumorId, row.count]))
  const inbox = new Set(taken.map((row) => row.rumorId))
  const broken = asked.flatMap(({ rumorId, isJob }) => [
    ...(inbox.has(rumorId) ? [] : [`C9 the message ${rumorId.slice(0, 8)} was never taken in`]),
    ...((jobCounts.get(rumorId) ?? 0) > (isJob ? 1 : 0)
      ? [`C9 the message ${rumorId.slice(0, 8)} made ${jobCounts.get(rumorId)} jobs`]
      : []),
  ])
  const steps = new Map<string, Set<string>>()
  for (const { customer, about, reply, rumorId } of heard) {
    const step = [customer, about, stepOf(reply)].join(' ')
    steps.set(step, (steps.get(step) ?? new Set()).add(rumorId))
  }
  for (const [step, ids] of steps) {
    if (ids.size > 1) broken.push(`C9 ${ids.size} different replies to ${step.slice(65)}`)
  }
  return [...broken, ...(await unheard(sql, heard))]
}

/** C9: every reply that is delivered by its row was really there to be read. */
async function unheard(sql: Sql, heard: readonly Heard[]): Promise<string[]> {
  const rows = await sql<{ rumorId: string; type: string; customer: string }[]>`
    select rumor_id, reply ->> 'type' as type, customer from outbox
    where delivered_at is not null and via = 'nip17'`
  const read = new Set(heard.map(({ customer, about, reply }) => customer + about + reply.type))
  const known = new Set(heard.map(({ customer }) => customer))
  return rows
    .filter(({ customer }) => known.has(customer))
    .filter(({ customer, rumorId, type }) => !read.has(customer + rumorId + type))
    .map(({ type }) => `C9 a delivered reply (${type}) was never on a relay`)
}

/** What tells the steps of one conversation apart. */
function stepOf(reply: Heard['reply']): string {
  const { type, part, state, seconds, reason } = reply
  return [type, part, state, seconds, type === 'balance' ? reason : undefined].join('/')
}

/** C12: which canaries stand in which texts. */
export function leaks(
  texts: ReadonlyMap<string, string>,
  canaries: ReadonlyMap<string, string>,
): string[] {
  return [...texts].flatMap(([where, text]) =>
    [...canaries]
      .filter(([, canary]) => canary !== '' && text.includes(canary))
      .map(([what]) => `C12 ${what} stands in ${where}`),
  )
}

/** What has not come to an end: liveness, once every fault is healed. */
export async function unended(sql: Sql): Promise<string[]> {
  const rows = await sql<{ what: string }[]>`
    select 'job ' || id || ' is ' || state as what from jobs where finished_at is null
    union all
    select 'withdrawal ' || id || ' is ' || state from withdrawals where finished_at is null
    union all
    select 'reply ' || id || ' (' || step || ') is not delivered' from outbox
    where delivered_at is null and give_up_at > now()`
  return rows.map(({ what }) => what)
}
