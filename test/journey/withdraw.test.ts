import { describe, expect, test } from 'vitest'
import { botLab, someKey } from '../support/bot.ts'

describe('a withdrawal', () => {
  test('pays the invoice once, takes the true fee and gives the rest of the reserve back', async () => {
    await using lab = await botLab()
    const bot = await lab.bot()
    const customer = someKey()
    await lab.topUp(bot, customer, 2_000)
    const { bolt11, paymentHash } = lab.outside(1_000)
    lab.play.node.script(paymentHash, { kind: 'ok', feeMsat: 1_500 })
    await bot.dm(customer, `/withdraw ${bolt11}`)
    const done = await lab.hears(customer, 'withdrawal', 2)
    expect((await lab.told(customer, 'withdrawal'))[0]).toMatchObject({
      state: 'sent',
      sats: 1_000,
      balanceSats: 990,
    })
    expect(done).toMatchObject({ state: 'done', sats: 1_000, feeSats: 2, balanceSats: 998 })
    expect(await lab.balance(customer)).toEqual({ availableSats: 998, balanceSats: 998 })
    expect(lab.payouts(paymentHash)).toBe(1)
    await lab.expectClean()
  })
})
