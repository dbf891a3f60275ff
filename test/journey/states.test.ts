import { expect, test } from 'vitest'
import { inTransaction, type Sql } from '../../src/store/database.ts'
import { type JobState, jobStates, transitions } from '../../src/store/job-states.ts'
import { awaitPayment, expire, finishJobs, refuse, startPaidWork } from '../../src/store/jobs.ts'
import { freshDatabase } from '../support/database.ts'
import { journeyOn, priced } from '../support/journey.ts'

const lease = { holder: 'test', seconds: 30 }

/** Every way a row can be asked to change its state, and the state it would have then. */
const moves: Record<string, { to: JobState; ask(sql: Sql, id: number): Promise<unknown> }> = {
  refuse: {
    to: 'refused',
    ask: (sql, id) => inTransaction(sql, (tx) => refuse(tx, { id, epoch: 1 }, 'rejected')),
  },
  awaitPayment: {
    to: 'awaiting_payment',
    ask: (sql, id) =>
      inTransaction(sql, (tx) => awaitPayment(tx, [{ id, epoch: 1, expiresAt: 2_000_000_000 }])),
  },
  startPaidWork: {
    to: 'working',
    ask: (sql, id) =>
      inTransaction(sql, (tx) => {
        const job = { id, tier: 'new' as const, tierSource: 'earned' as const }
        return startPaidWork(tx, { job, paidSats: 40, reservedSats: 0, day: '2026-11-25' }, lease)
      }),
  },
  expire: {
    to: 'expired',
    ask: (sql, id) => inTransaction(sql, (tx) => expire(tx, id, 'cancelled')),
  },
  done: { to: 'done', ask: (sql, id) => finish(sql, id, 'done') },
  failed: { to: 'failed', ask: (sql, id) => finish(sql, id, 'failed') },
}

function finish(sql: Sql, id: number, state: 'done' | 'failed'): Promise<unknown> {
  const row = { id, epoch: 1, state, reason: null, actualSats: 0, absorbedSats: 0, refundSats: 0 }
  const rest = { shortfallSats: 0, usedInput: null, usedOutput: null }
  return inTransaction(sql, (tx) => finishJobs(tx, [{ ...row, ...rest }]))
}

/** Puts the one job of the database into a state, whatever it was in. */
async function put(sql: Sql, state: JobState): Promise<void> {
  const over = transitions[state].length === 0
  await sql`
    update jobs set state = ${state}, epoch = 1, held_sats = 0, paid_sats = 0,
      finished_at = ${over ? new Date() : null}, due_at = ${over ? null : new Date()}`
}

test('no road leads from a state to one that the table does not name', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const job = await journey.job(priced())
  for (const from of jobStates) {
    for (const [name, { to, ask }] of Object.entries(moves)) {
      await put(db.sql, from)
      await ask(db.sql, job.id)
      const { state } = await journey.read(job.id)
      const expected = transitions[from].includes(to) ? [from, to] : [from]
      expect(expected, `${name} from ${from}`).toContain(state)
    }
  }
})

test('every state but accepted → working is reached by a move that the table names', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const job = await journey.job(priced())
  const walked = new Set<string>()
  for (const from of jobStates) {
    for (const { ask } of Object.values(moves)) {
      await put(db.sql, from)
      await ask(db.sql, job.id)
      const { state } = await journey.read(job.id)
      if (state !== from) walked.add(`${from} → ${state}`)
    }
  }
  const named = jobStates.flatMap((from) => transitions[from].map((to) => `${from} → ${to}`))
  expect([...walked].sort()).toEqual(named.filter((road) => road !== 'accepted → working').sort())
})

test('the database knows the same states as the table', async () => {
  await using db = await freshDatabase()
  const [row] = await db.sql<{ rule: string }[]>`
    select pg_get_constraintdef(oid) as rule from pg_constraint where conname = 'jobs_state'`
  const known = [...(row?.rule ?? '').matchAll(/'([a-z_]+)'/g)].map(([, state]) => state)
  expect(known.sort()).toEqual([...jobStates].sort())
})

test('a job that is over holds nothing and is never due', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const job = await journey.paid(priced())
  const over = db.sql`update jobs set state = 'done', finished_at = now(), due_at = null`
  await expect(over).rejects.toMatchObject({ constraint_name: 'jobs_over_holds_nothing' })
  await journey.finish(job, 5)
  const due = db.sql`update jobs set due_at = now() where id = ${job.id}`
  await expect(due).rejects.toMatchObject({ constraint_name: 'jobs_over_is_not_due' })
})

test('what was booked or granted cannot be rewritten, not even by the owner in passing', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  await journey.finish(await journey.paid(priced()), 5)
  const tampering = [
    db.sql`update transfers set sats = 1`,
    db.sql`delete from transfers`,
    db.sql`truncate transfers`,
    db.sql`update free_tier_grants set absorbed_sats = 0`,
    db.sql`delete from free_tier_grants`,
    db.sql`truncate free_tier_grants`,
    db.sql`update ledger_seals set hash = ''`,
    db.sql`truncate ledger_seals`,
  ]
  for (const statement of tampering) {
    await expect(statement).rejects.toMatchObject({ code: '42501' })
  }
})
