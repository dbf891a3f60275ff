import { expect, test } from 'vitest'
import { renderReply } from '../../src/doors/replies.ts'
import { setBan } from '../../src/store/customers.ts'
import { setConfig } from '../../src/store/pool.ts'
import { freshDatabase } from '../support/database.ts'
import { journeyOn, priced, someKey } from '../support/journey.ts'
import { earned, keyWith, why } from '../support/paid-key.ts'

test('/why shows each term with the figures that a decision would use', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const customer = await keyWith(db.sql, earned(2_400))
  await journey.finish(await journey.job(priced({ customer, estimatedSats: 100 })), 60)
  const open = await journey.job(priced({ customer, estimatedSats: 200 }))
  expect(open).toMatchObject({ serve: 'partial', promisedSats: 140 })
  expect(await why(journey, customer)).toEqual({
    type: 'why',
    tier: 'trusted',
    source: 'earned',
    budgetSats: 200,
    absorbedTodaySats: 60,
    // 200 a day, 60 used, 140 promised in the open invoice.
    roomSats: 0,
    terms: {
      budgetLeftSats: 0,
      // A quarter of 2,400, less 60 and the promise.
      ratioLeftSats: 400,
      poolSats: 9_940,
      breakerLeftSats: 940,
      netPaidSats: 2_400,
      grantsSats: 60,
      paidDays: 3,
      firstPaidDaysAgo: 10,
    },
    next: 'To become elite: pay 7600 sats more for work.',
  })
  await journey.cancel(open)
  expect(await why(journey, customer)).toMatchObject({
    roomSats: 140,
    terms: { budgetLeftSats: 140, ratioLeftSats: 540 },
  })
})

test('/why tells a new key what is missing', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const reply = await why(journey, someKey())
  expect(reply).toMatchObject({ tier: 'new', source: 'earned', budgetSats: 0, roomSats: 0 })
  expect(reply.terms).not.toHaveProperty('firstPaidDaysAgo')
  expect(reply.next).toBe(
    'To become established: pay 500 sats more for work, pay on 3 more days, ' +
      'wait 7 days after your first payment.',
  )
})

test('budgets that the operator overrides at run time count at once, and so does a pause', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const customer = await journey.granted('trusted')
  await setConfig(db.sql, 'budgets', { trusted: 30 })
  expect(await why(journey, customer)).toMatchObject({ budgetSats: 30, roomSats: 30 })
  expect(await journey.job(priced({ customer }))).toMatchObject({ promisedSats: 30 })
  const estimate = await journey.ask(customer, { name: 'estimate', request: 'x' })
  expect(estimate).toMatchObject({ pool: { dailyBudgets: { trusted: 30, elite: 1_000 } } })
  await setConfig(db.sql, 'pool_paused', true)
  const elite = await journey.granted('elite')
  const paused = await why(journey, elite)
  expect(paused).toMatchObject({ tier: 'elite', roomSats: 0 })
  expect(paused.next).toMatch(/^The pool is paused: .* There is no higher tier\.$/)
  const [words = ''] = renderReply(paused, { form: 'words' })
  expect(words).toContain('Free for you now: 0 sats. Otherwise it would be the least of\n')
  expect(await journey.job(priced({ customer: elite }))).toMatchObject({ serve: 'gate' })
  expect(await journey.ask(customer, { name: 'pool' })).toMatchObject({ state: 'paused' })
  await setConfig(db.sql, 'pool_paused', false)
  await setConfig(db.sql, 'budgets', {})
  expect(await journey.job(priced({ customer: elite }))).toMatchObject({ serve: 'free' })
})

test('/why tells a banned key that it is not served, and of no tier to come', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const customer = await journey.granted('trusted')
  await setBan(db.sql, customer, { reason: 'spam' })
  const reply = await why(journey, customer)
  expect(reply).toMatchObject({ roomSats: 0 })
  expect(reply.next).toMatch(/^This key is not served here\./)
})

test('a key with more open jobs than the bound is refused and told the bound', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const customer = someKey()
  const accepted = await Promise.all(
    Array.from({ length: 103 }, () => journey.accept.add(priced({ customer }))),
  )
  expect(accepted.filter(({ outcome }) => outcome === 'job')).toHaveLength(100)
  const [told] = await db.sql<{ reply: Record<string, unknown> }[]>`
    select reply from outbox where step = 'refused' limit 1`
  expect(told?.reply).toMatchObject({ reason: 'rate_limited' })
})
