import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { defaultMoneyRules } from '../../src/money/rules.ts'
import {
  earnedThresholdSats,
  FIRST_PAID_AGE_SECONDS,
  PAID_DAYS_MIN,
  TRUST_WINDOW_DAYS,
} from '../../src/money/tiers.ts'
import { readAccounts } from '../../src/store/audit.ts'
import { readPoolToday } from '../../src/store/pool.ts'
import { freshDatabase } from '../support/database.ts'
import { journeyOn, priced, someKey } from '../support/journey.ts'

const page = readFileSync(join(import.meta.dirname, '../../docs/money.md'), 'utf8')

/** The rows of the worked example: a step and five amounts. */
const rows = [...page.matchAll(/^\| ([^|]+) \|((?: −?\d+ \|){5})$/gm)].map(([, step, amounts]) => ({
  step,
  amounts: amounts?.match(/−?\d+/g)?.map((text) => Number(text.replace('−', '-'))),
}))

test('the worked example of docs/money.md is what the ledger says, step by step', async () => {
  await using db = await freshDatabase()
  const played: typeof rows = []
  const lab = await journeyOn(db.sql)
  const note = async (step: string) => {
    const a = await readAccounts(db.sql)
    const amounts = [a.poolSats, a.operatorSats, a.customersSats, a.holdsSats, a.lightningSats]
    played.push({ step, amounts })
  }
  await note('the first start')

  const nadia = someKey()
  const first = await lab.paid(priced({ customer: nadia, estimatedSats: 40 }))
  await note('Nadia pays 40')
  await lab.finish(first, 30)
  await note('her job costs 30')

  const tom = await lab.granted('trusted')
  const free = await lab.job(priced({ customer: tom, estimatedSats: 40 }))
  expect(free).toMatchObject({ serve: 'free', state: 'working' })
  await note("Tom's job begins")
  await lab.finish(free, 25)
  await note('his job costs 25')

  const eve = await lab.granted('established')
  const partial = await lab.paid(priced({ customer: eve, estimatedSats: 90 }))
  expect(partial).toMatchObject({ serve: 'partial', promisedSats: 50, paidSats: 40 })
  await note('Eve pays 40')
  await lab.finish(partial, 80)
  await note('her job costs 80')

  // Her job cost 80 and the pool paid its 50 of it, so nothing of her budget came back.
  const again = await lab.job(priced({ customer: eve, estimatedSats: 20 }))
  expect(again).toMatchObject({ serve: 'gate', chargeSats: 20 })
  await note('Eve asks again')

  // Her balance of 10 does not cover 30, so the invoice asks for all of it.
  const failing = await lab.paid(priced({ customer: nadia, estimatedSats: 30 }))
  expect(failing).toMatchObject({ paidFrom: 'invoice', paidSats: 30 })
  await note('Nadia pays 30')
  await lab.fail(failing)
  await note('her job fails')

  expect(rows).toEqual(played)
  // Each job of the day is under one head: what the pool paid a part of is no job that was paid in full.
  expect(await readPoolToday(db.sql)).toMatchObject({ free: 1, partial: 1, paid: 1 })
  await lab.expectClean()
})

test('the numbers in the sentences of docs/money.md are the defaults', () => {
  const { budgets, marginPct, poolCreditPct, poolDailyOutflowPct, earnedGrantRatio } =
    defaultMoneyRules
  const { established, trusted, elite } = earnedThresholdSats
  const grouped = (sats: number) => sats.toLocaleString('en-US')
  for (const sentence of [
    `a margin of ${marginPct} %`,
    `${established} sats make it \`established\`, ${grouped(trusted)}`,
    `\`trusted\`, ${grouped(elite)} \`elite\``,
    `at least ${FIRST_PAID_AGE_SECONDS / 86_400} days old`,
    `at least ${PAID_DAYS_MIN} days`,
    `the last ${TRUST_WINDOW_DAYS} days`,
    `\`new\` ${budgets.new}, \`established\` ${budgets.established}, ` +
      `\`trusted\` ${budgets.trusted}, \`elite\` ${grouped(budgets.elite)} sats`,
    `at most ${poolDailyOutflowPct} % of what the pool held`,
    `it begins at −${grouped(defaultMoneyRules.poolSeedSats)}`,
  ]) {
    expect(page.replaceAll(/\s+/g, ' ')).toContain(sentence)
  }
  // "A tenth", "a quarter": the words for these two.
  expect([poolCreditPct, earnedGrantRatio]).toEqual([10, 0.25])
})
