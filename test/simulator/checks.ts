import { readAccounts, readBreaches, readDrift } from '../../src/store/audit.ts'
import { TWIN_SECONDS } from '../../src/limits.ts'
import { owedTo } from '../../src/books.ts'
import type { Message } from './relays.ts'
import { checkShares } from './shares.ts'
import type { World } from './world.ts'

/** What is still to be done in a world, in words; empty when everything has come to its end. */
export async function readUnfinished(
  world: World,
  messages: readonly Message[],
): Promise<string[]> {
  const [row] = await world.session.sql<
    { jobs: number; replies: number; withdrawals: number; taken: number; paid: string[] }[]
  >`
    select
      (select count(*) from jobs where finished_at is null) as jobs,
      (select count(*) from outbox where delivered_at is null and due_at is not null) as replies,
      (select count(*) from withdrawals where finished_at is null) as withdrawals,
      (select count(*) from inbox) as taken,
      (select coalesce(array_agg(payment_hash), '{}') from invoices where state = 'paid') as paid`
  if (!row) return ['the database says nothing']
  const booked = new Set(row.paid)
  const paid = world.incoming.all().filter((invoice) => invoice.paidMs !== undefined)
  const unbooked = paid.filter(({ paymentHash }) => !booked.has(paymentHash))
  const open: [number, string][] = [
    [row.jobs, 'jobs'],
    [row.replies, 'replies'],
    [row.withdrawals, 'withdrawals'],
    [unbooked.length, 'payments not booked'],
    [messages.length - row.taken, 'messages not taken in'],
  ]
  return open.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`)
}

/** Everything that must hold when a world has come to rest, whatever happened in it. */
export async function checkWorld(world: World, messages: readonly Message[]): Promise<string[]> {
  const { sql } = world.session
  const [drift, breaches, balances] = [
    await readDrift(sql),
    await readBreaches(sql, { earnedGrantRatio: world.rules.earnedGrantRatio }),
    await readAccounts(sql),
  ]
  const owedSats = owedTo(balances).reduce((sum, [, sats]) => sum + sats, 0)
  return [
    ...drift.map(({ account, storedSats, bookedSats }) => {
      return `C1: ${account} holds ${storedSats} and its transfers say ${bookedSats}`
    }),
    ...breaches.map(({ rule, rows }) => `${rows} rows against: ${rule}`),
    ...unless(balances.lightningSats === owedSats, `C1: Lightning is off by ${owedSats}`),
    ...(await checkLightning(world, balances.lightningSats)),
    ...(await checkShares(world)),
    ...(await checkRules(world)),
    ...(await checkUnwanted(world, messages)),
    ...(await checkReplies(world, messages)),
  ]
}

const unless = (holds: boolean, fault: string): string[] => (holds ? [] : [fault])

/** C3 and C11: the ledger against LNbits' own books. */
async function checkLightning(world: World, lightningSats: number): Promise<string[]> {
  const { sql } = world.session
  const [row] = await sql<{ dustMsat: number; paid: string[]; out: Withdrawn[] }[]>`
    select
      coalesce((
        select value::text::bigint from timmy_config where key = 'lightning_dust_msat'
      ), 0) as dust_msat,
      (select coalesce(array_agg(payment_hash), '{}') from invoices where state = 'paid') as paid,
      (select coalesce(jsonb_agg(jsonb_build_object(
        'hash', payment_hash, 'state', state, 'sats', amount_sats)), '[]') from withdrawals) as out`
  if (!row) return ['the database says nothing']
  const bookedMsat = lightningSats * 1000 + row.dustMsat
  const done = row.out.filter(({ state }) => state === 'done')
  return [
    ...unless(
      bookedMsat === world.walletMsat(),
      `C11: LNbits holds ${world.walletMsat()} msat, the ledger says ${bookedMsat}`,
    ),
    ...row.paid
      .filter((hash) => !world.incoming.isPaid(hash))
      .map((hash) => `a payment of ${hash} was booked and never came`),
    ...row.out.flatMap(({ hash, state, sats }) => {
      const left = world.outgoing.payouts(hash)
      const due = state === 'done' ? 1 : 0
      const fits = left.count === due && left.sats === due * sats
      return unless(fits, `C3: a withdrawal is ${state} and was paid ${left.count} times`)
    }),
    ...unless(
      world.outgoing.total().count === done.length,
      'C3: a payout belongs to no withdrawal',
    ),
  ]
}

interface Withdrawn {
  hash: string
  state: string
  sats: number
}

/** The rules of the money that no constraint and no audit of a running bot can know. */
async function checkRules({ session, rules }: World): Promise<string[]> {
  const { sql } = session
  const [row] = await sql<Record<string, number>[]>`
    select
      (select count(*) from jobs where state = 'done' and paid_sats - refund_sats > charge_sats)
        as "a quote was exceeded",
      (select count(*) from jobs j where state in ('done', 'failed') and coalesce((
        select sats from transfers t where t.job_id = j.id and t.kind = 'credit'
      ), 0) <> case state when 'done' then floor((paid_sats - refund_sats)
        * ${rules.poolCreditPct}::int / 100.0) else 0 end) as "a credit is not a tenth of the net",
      (select count(*) from jobs where state = 'done' and serve = 'free' and paid_sats > 0)
        as "a free job was paid",
      (select count(*) from pool_days
        where absorbed_sats * 100 > opening_sats * ${rules.poolDailyOutflowPct}::int)
        as "the breaker was passed",
      (select count(*) from customer_days d join customers c on c.pubkey = d.customer
        where d.absorbed_sats > case c.granted_tier
          when 'established' then greatest(${rules.budgets.established}::bigint, 50)
          when 'trusted' then greatest(${rules.budgets.trusted}::bigint, 50)
          else ${rules.budgets.elite}::bigint end) as "a budget was exceeded",
      (select count(*) from jobs j where exists (
        select 1 from invoices i where i.job_id = j.id and i.state = 'paid'
      ) and state not in ('done', 'failed', 'expired')) as "a paid job has no end",
      (select count(*) from (
        select rumor_id from jobs group by rumor_id having count(*) > 1
      ) twice) as "C9: one message made two jobs",
      (select count(*) from (
        select rumor_id, step from outbox where job_id is null
        group by rumor_id, step having count(*) > 1
      ) twice) as "C9: one message has two replies of a step",
      (select count(*) from jobs j where finished_at is not null and not exists (
        select 1 from outbox o where o.job_id = j.id and o.step = 'end'
      ) and not (state = 'expired' and reason = 'cancelled')) as "a job ended in silence"`
  return Object.entries(row ?? {})
    .filter(([, count]) => count > 0)
    .map(([fault, count]) => `${fault} (${count})`)
}

/** Work that nobody is to do: for banned keys, for messages of last week, and twice for what came by two doors. */
async function checkUnwanted({ session }: World, messages: readonly Message[]): Promise<string[]> {
  const old = messages.filter(({ text }) => /last week/.test(text)).map(({ id }) => id)
  const [row] = await session.sql<{ banned: number; old: number; twins: number }[]>`
    select
      (select count(*) from jobs join customers on pubkey = customer
        where banned_at < jobs.created_at) as banned,
      (select count(*) from jobs where rumor_id = any(${old}::text[])) as old,
      (select count(*) from jobs a join jobs b using (customer, request_hash)
        where a.via <> b.via and a.id < b.id
          and b.created_at < a.created_at + make_interval(secs => ${TWIN_SECONDS})) as twins`
  if (!row) return ['the database says nothing']
  return [
    ...unless(row.banned === 0, 'a banned key was served'),
    ...unless(row.old === 0, 'a message of last week was executed'),
    ...unless(row.twins === 0, 'one message by two doors is two jobs'),
  ]
}

/** C9, as customers see it: what relays have of each reply is one event. */
async function checkReplies(world: World, messages: readonly Message[]): Promise<string[]> {
  const faults: string[] = []
  const events = new Map<number, string>()
  for (const { rowId, eventId, step } of world.relays.stored()) {
    const before = events.get(rowId)
    if (before !== undefined && before !== eventId) faults.push(`C9: ${step} was sent twice`)
    events.set(rowId, eventId)
  }
  const rows = await world.session.sql<{ id: number; rumorId: string | null; gone: boolean }[]>`
    select id, rumor_id, coalesce((
      select bool_and(refused_at is not null) from outbox_publications p where p.outbox_id = o.id
    ), false) as gone from outbox o`
  for (const { id, gone } of rows) {
    if (!events.has(id) && !gone) faults.push(`reply ${id} never reached a relay`)
  }
  const cancelled = await world.session.sql<{ rumorId: string }[]>`
    select rumor_id from jobs where reason = 'cancelled'`
  const answered = new Set([...rows, ...cancelled].map(({ rumorId }) => rumorId))
  const [grouped, alone] = [
    messages.filter(mayBeSilent),
    messages.filter((one) => !mayBeSilent(one)),
  ]
  for (const { id, text } of alone) {
    if (!answered.has(id)) faults.push(`no answer to "${text.slice(0, 30)}"`)
  }
  const groups = Map.groupBy(grouped, ({ customer, text }) => `${customer.slice(0, 4)} ${text}`)
  for (const [group, alike] of groups) {
    if (!alike.some(({ id }) => answered.has(id))) faults.push(`no answer to any "${group}"`)
  }
  return faults
}

/**
 * A twin is answered at the door of the other, and "too old" is said once a day: of such messages of one customer
 * one has an answer. The texts say what they are.
 */
const mayBeSilent = ({ text }: Message): boolean => /twin|last week/.test(text)
