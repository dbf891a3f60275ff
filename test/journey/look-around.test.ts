import { expect, test } from 'vitest'
import { createLookAround } from '../../src/journey/look-around.ts'
import { LOOKS_AFTER_RETURN } from '../../src/limits.ts'
import { silentLog } from '../../src/log.ts'
import type { Sql } from '../../src/store/database.ts'
import { noteUnpaid } from '../../src/store/invoices.ts'
import { someKey } from '../support/bot.ts'
import { freshDatabase } from '../support/database.ts'

/** Open invoices whose amount is their number; the later ones expire earlier. */
async function openInvoices(sql: Sql, customer: string, from: number, count: number) {
  await sql`insert into customers (pubkey) values (${customer})`
  await sql`
    insert into invoices (payment_hash, purpose, customer, via, form, rumor_at, rumor_id,
      amount_sats, bolt11, expires_at, look_at)
    select encode(sha256(n::text::bytea), 'hex'), 'topup', ${customer}, 'nip17', 'json', n, 'r' || n,
      n, 'lnbc' || n, now() + interval '1 hour' - make_interval(secs => n),
      now() + interval '59 minutes'
    from generate_series(${from}::int, ${from + count - 1}::int) n`
}

function lookAround(sql: Sql, holder = 'one') {
  const state = { nowMs: 1_790_000_000_000, asked: [] as number[], fails: false }
  const around = createLookAround({
    ...{ sql, holder, log: silentLog, signal: new AbortController().signal },
    clock: {
      now: () => state.nowMs,
      async sleep(ms) {
        state.nowMs += ms
      },
    },
    async look({ amountSats }) {
      if (state.fails) throw new Error('the database is away')
      state.asked.push(amountSats)
    },
  })
  return { around, state }
}

test('when LNbits is back, customers are looked at in turn, what expires first at first, up to a bound', async () => {
  await using db = await freshDatabase()
  await openInvoices(db.sql, someKey(), 1, 400)
  await openInvoices(db.sql, someKey(), 401, 2)
  const { around, state } = lookAround(db.sql)
  around.tend()
  await around.settled()
  expect(state.asked).toEqual([])
  around.wish()
  around.tend()
  await around.settled()
  expect(state.asked).toHaveLength(LOOKS_AFTER_RETURN)
  expect(state.asked.slice(0, 5)).toEqual([402, 400, 401, 399, 398])
})

test('a line that breaks again and again costs one round a minute, and the last wish is not forgotten', async () => {
  await using db = await freshDatabase()
  await openInvoices(db.sql, someKey(), 1, 3)
  const { around, state } = lookAround(db.sql)
  for (let time = 0; time < 5; time += 1) {
    around.wish()
    around.tend()
    await around.settled()
  }
  expect(state.asked).toHaveLength(3)
  state.nowMs += 60_000
  around.tend()
  await around.settled()
  expect(state.asked).toHaveLength(6)
})

test('of replicas that hear of the return at once one goes round', async () => {
  await using db = await freshDatabase()
  await openInvoices(db.sql, someKey(), 1, 3)
  const all = ['one', 'two', 'three'].map((holder) => lookAround(db.sql, holder))
  for (const { around } of all) {
    around.wish()
    around.tend()
  }
  await Promise.all(all.map(({ around }) => around.settled()))
  expect(all.flatMap(({ state }) => state.asked)).toHaveLength(3)
})

test('a round that fails is gone again', async () => {
  await using db = await freshDatabase()
  await openInvoices(db.sql, someKey(), 1, 3)
  const { around, state } = lookAround(db.sql)
  state.fails = true
  around.wish()
  around.tend()
  await around.settled()
  state.fails = false
  state.nowMs += 60_000
  around.tend()
  await around.settled()
  expect(state.asked).toHaveLength(3)
})

// Trap 11: the look before expiry is the last that reaches the node, whatever was looked at before.
test('a look in the midst of its life does not cost an invoice the look before its expiry', async () => {
  await using db = await freshDatabase()
  await openInvoices(db.sql, someKey(), 1, 1)
  const [row] = await db.sql<{ paymentHash: string }[]>`select payment_hash from invoices`
  await noteUnpaid(db.sql, [row?.paymentHash ?? ''])
  const [left] = await db.sql<{ seconds: number }[]>`
    select extract(epoch from expires_at - look_at)::float8 as seconds from invoices`
  expect(left?.seconds).toBe(5)
})
