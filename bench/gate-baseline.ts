import postgres from 'postgres'
import type { PricedRequest } from '../src/journey/request.ts'
import { standingOf } from '../src/journey/standing.ts'
import { decide } from '../src/money/decide.ts'
import type { MoneyRules } from '../src/money/rules.ts'
import type { CustomerFacts } from '../src/store/customers.ts'
import type { DatabaseTarget } from '../src/store/database-target.ts'
import { driverTarget } from '../src/store/database-target.ts'
import type { PoolFacts } from '../src/store/pool.ts'
import { columnNames } from '../src/store/statements.ts'
import { valueTypes } from '../src/store/values.ts'
import type { Gate } from './gate-load.ts'

type Tx = postgres.TransactionSql
type Raw<Facts> = Facts & { budgets: PoolFacts['budgetOverrides'] | null }

/**
 * What the gate is compared with: the same rule and the same rows, one transaction per request, as
 * one writes it with the driver: locks and reads in one pipelined round trip, the decision in the
 * process, all writes in another; ten connections, every statement prepared. `pipelined: false`
 * awaits each statement before the next, as most code does.
 */
export function openBaseline(
  target: DatabaseTarget,
  rules: MoneyRules,
  { pipelined = true } = {},
): Gate {
  const { url, options } = driverTarget(target)
  const settings = {
    ...options,
    max: 10,
    types: valueTypes,
    fetch_types: false,
    transform: columnNames,
    connection: { application_name: 'tithe bench baseline', TimeZone: 'UTC' },
  }
  const sql: postgres.Sql = Reflect.apply(postgres, undefined, url ? [url, settings] : [settings])
  const run = pipelined ? allAtOnce : oneByOne
  return {
    ask: async (request) => {
      const served = await sql.begin((tx) => acceptOne(tx, request, rules, run))
      return String(served)
    },
    close: () => sql.end(),
  }
}

/** Queries are sent when they are awaited. */
type Run = <T extends readonly unknown[]>(
  queries: readonly [...T],
) => Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }>

const allAtOnce: Run = (queries) => Promise.all(queries)

const oneByOne: Run = async (queries) => {
  for (const query of queries) await query
  // Each has its answer by now.
  return Promise.all(queries)
}

async function acceptOne(
  tx: Tx,
  asked: PricedRequest,
  rules: MoneyRules,
  run: Run,
): Promise<string> {
  const { to, message } = asked
  const [, , [pool], [facts], fresh, twins, [next]] = await run([
    tx`select balance_sats from accounts where name = 'pool' for update`,
    tx`select balance_sats from customers where pubkey = ${to.customer} for update`,
    readPool(tx),
    readCustomer(tx, to.customer),
    tx`
      insert into inbox (rumor_at, rumor_id, sender, via, relay, proof)
      values (${message.rumorAt}, ${message.rumorId}, ${message.sender}, ${message.via},
        ${message.relay}, ${message.proof})
      on conflict (rumor_at, rumor_id) do nothing returning rumor_id`,
    tx`
      select id from jobs
      where request_hash = ${asked.requestHash} and via <> ${to.via}
        and created_at > now() - interval '5 minutes' and customer = (
          select pubkey from customers
          where pubkey = ${to.customer} and door is distinct from ${to.via}
        )
      order by id desc limit 1`,
    tx<{ id: number }[]>`select nextval('jobs_id_seq') as id`,
  ])
  if (!pool || !facts || !next) throw new Error('the database was not furnished')
  if (fresh.length === 0) return 'replayed'
  if (twins.length > 0) return 'twin'
  const { tier, source, room, banned } = standingOf(
    facts,
    { ...pool, budgetOverrides: pool.budgets ?? {} },
    rules,
  )
  const decision = decide({
    tier,
    banned,
    poolPaused: pool.paused,
    room,
    estimateSats: asked.estimatedSats,
  })
  // The load has no other answers, so that nothing else needs to be written here.
  if (decision.serve !== 'free') return decision.serve
  const given = { id: next.id, tier, source, pool, sats: decision.absorbSats }
  const note = facts.door === to.via ? [] : [noteDoor(tx, to)]
  await run([...writeFree(tx, asked, given), ...note])
  return 'free'
}

const readPool = (tx: Tx) =>
  tx<Raw<PoolFacts>[]>`
    select a.balance_sats,
      to_char(now() at time zone 'utc', 'YYYY-MM-DD') as day,
      floor(extract(epoch from now()))::bigint as now_seconds,
      coalesce(d.opening_sats, a.balance_sats) as opening_sats,
      coalesce(d.absorbed_sats, 0) as absorbed_today_sats,
      coalesce((
        select sum(promised_sats) from jobs
        where promised_sats > 0 and state in ('accepted', 'awaiting_payment')
      ), 0)::bigint as open_promises_sats,
      coalesce((select value = 'true'::jsonb from timmy_config where key = 'pool_paused'), false)
        as paused,
      (select value from timmy_config where key = 'budgets') as budgets
    from accounts a
    left join pool_days d on d.day = (now() at time zone 'utc')::date
    where a.name = 'pool'`

/** The load knows one door. */
const noteDoor = (tx: Tx, { customer, via }: PricedRequest['to']) =>
  tx`update customers set door = ${via} where pubkey = ${customer}`

const readCustomer = (tx: Tx, customer: string) =>
  tx<(CustomerFacts & { door: string | null })[]>`
    select c.pubkey, c.door, c.balance_sats, c.granted_tier, c.granted_source,
      c.banned_at is not null as banned,
      floor(extract(epoch from c.first_paid_at))::bigint as first_paid_at,
      d.paid_days, d.net_paid_sats90, d.grants_sats90, d.absorbed_today_sats,
      d.shortfall_today_sats, d.shortfall_sats90,
      coalesce((
        select sum(j.promised_sats) from jobs j
        where j.customer = c.pubkey and j.promised_sats > 0
          and j.state in ('accepted', 'awaiting_payment')
      ), 0)::bigint as own_promise_sats,
      (select count(*) from jobs j where j.customer = c.pubkey and j.finished_at is null)
        as open_jobs
    from customers c, lateral (
      select count(*) filter (where net_paid_sats > 0) as paid_days,
        coalesce(sum(net_paid_sats), 0)::bigint as net_paid_sats90,
        coalesce(sum(absorbed_sats), 0)::bigint as grants_sats90,
        coalesce(sum(absorbed_sats) filter (where day = today), 0)::bigint as absorbed_today_sats,
        coalesce(sum(shortfall_sats) filter (where day = today), 0)::bigint
          as shortfall_today_sats,
        coalesce(sum(shortfall_sats), 0)::bigint as shortfall_sats90
      from customer_days, (select (now() at time zone 'utc')::date as today) t
      where customer = c.pubkey and day > today - 90
    ) d
    where c.pubkey = ${customer}`

interface Given {
  id: number
  tier: string
  source: string
  pool: PoolFacts
  sats: number
}

/** Everything that a free answer writes. */
function writeFree(tx: Tx, asked: PricedRequest, given: Given) {
  const { to } = asked
  const { id, pool, sats } = given
  const { day } = pool
  const reply = JSON.stringify({
    type: 'working',
    jobId: String(id),
    serve: 'free',
    free_tier: true,
    paidFrom: 'pool',
    chargeSats: 0,
    absorbSats: sats,
  })
  return [
    tx`
      insert into jobs (id, state, customer, via, form, program_id, rumor_at, rumor_id,
        request_hash, model, tier, tier_source, serve, paid_from, estimated_sats, charge_sats,
        promised_sats, reserved_sats, reserved_day, paid_sats, held_sats, free_tier, usd_per_btc,
        input_tokens, output_tokens, due_at, lease, epoch, tries)
      overriding system value
      values (${id}, 'working', ${to.customer}, ${to.via}, ${to.form}, ${to.programId},
        ${to.rumorAt}, ${to.rumorId}, ${asked.requestHash}, ${asked.model}, ${given.tier},
        ${given.source}, 'free', 'pool', ${asked.estimatedSats}, 0, 0, ${sats}, ${day}, 0, ${sats},
        true, ${asked.usdPerBtc}, ${asked.inputTokens}, ${asked.outputTokens},
        now() + interval '30 seconds', 'bench', 1, 1)`,
    tx`insert into job_texts (job_id, request) values (${id}, ${asked.request})`,
    tx`
      insert into outbox (customer, via, form, program_id, job_id, step, rumor_at, rumor_id, reply,
        give_up_at, due_at, lease, epoch, tries)
      values (${to.customer}, ${to.via}, ${to.form}, ${to.programId}, ${id}, 'working',
        ${to.rumorAt}, ${to.rumorId}, ${reply}::text::jsonb, now() + interval '3 days',
        now() + interval '30 seconds', 'bench', 1, 1)
      returning id, created_at`,
    tx`
      insert into transfers (kind, debit, credit, sats, job_id, day)
      values ('reserve', 'pool', ${`job:${id}`}, ${sats}, ${id}, ${day})`,
    tx`update accounts set balance_sats = balance_sats - ${sats} where name = 'pool'`,
    tx`
      insert into customer_days (customer, day, absorbed_sats)
      values (${to.customer}, ${day}, ${sats})
      on conflict (customer, day) do update
      set absorbed_sats = customer_days.absorbed_sats + excluded.absorbed_sats`,
    tx`
      insert into pool_days (day, opening_sats, absorbed_sats, free_count)
      values (${day}, ${pool.openingSats}, ${sats}, 1)
      on conflict (day) do update
      set absorbed_sats = pool_days.absorbed_sats + excluded.absorbed_sats,
        free_count = pool_days.free_count + 1`,
  ]
}
