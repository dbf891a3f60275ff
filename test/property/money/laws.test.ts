import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { ALL_SATS } from '../../../src/limits.ts'
import { boundPromise, decide, reserveNow } from '../../../src/money/decide.ts'
import { type RoomInput, room } from '../../../src/money/room.ts'
import { floorPct, floorRatio, isSats, parseSats } from '../../../src/money/sats.ts'
import { settle, settleFailed } from '../../../src/money/settlement.ts'
import { earnedTier, higherTier, tierOf, tiers } from '../../../src/money/tiers.ts'
import { holds, sweepName } from '../../support/money-sweep.ts'
import { say } from '../../support/seeded.ts'

beforeAll(() => say(`money laws: ${sweepName}`))

/** Small amounts meet each other often; large ones reach the ends. */
const sats = fc.oneof(
  fc.integer({ min: 0, max: 30 }),
  fc.integer({ min: 0, max: 20_000 }),
  fc.integer({ min: 0, max: ALL_SATS }),
)
const pct = fc.integer({ min: 0, max: 100 })
const ratio = fc.integer({ min: 0, max: 1_000_000 }).map((parts) => parts / 1e6)
const tier = fc.constantFrom(...tiers)
/** What a bug upstream may hand over. */
const anyNumber = fc.oneof(
  sats,
  fc.double(),
  fc.integer(),
  fc.constantFrom(NaN, -0, Infinity, -Infinity, 1e308, -1, 0.5, 2 ** 53, ALL_SATS + 1),
)

const roomInput = (amount: fc.Arbitrary<number>, part: fc.Arbitrary<number>) =>
  fc.record<RoomInput>({
    budgetSats: amount,
    absorbedTodaySats: amount,
    ratio: fc.option(
      fc.record({ netPaidSats90: amount, grantsSats90: amount, earnedGrantRatio: part }),
    ),
    poolSats: amount,
    breaker: fc.record({
      openingSats: amount,
      outflowPct: amount === sats ? pct : anyNumber,
      usedSats: amount,
    }),
    ownPromiseSats: fc.option(amount, { nil: undefined }),
    shortfalls: fc.option(fc.record({ todaySats: amount, sats90: amount })),
  })
const soundRoom = roomInput(sats, ratio)
const anyRoom = fc.oneof(soundRoom, roomInput(anyNumber, anyNumber))

describe('shares', () => {
  test('a percentage and a ratio are those of exact arithmetic, rounded down', () => {
    holds(
      fc.property(sats, pct, ratio, (amount, percent, share) => {
        expect(floorPct(amount, percent)).toBe(Number((BigInt(amount) * BigInt(percent)) / 100n))
        const parts = BigInt(Math.round(share * 1e6))
        expect(floorRatio(amount, share)).toBe(Number((BigInt(amount) * parts) / 1_000_000n))
      }),
    )
  })

  test('splitting an amount never makes its shares larger', () => {
    holds(
      fc.property(sats, sats, ratio, (a, b, share) => {
        fc.pre(a + b <= ALL_SATS)
        const whole = floorRatio(a + b, share)
        expect(floorRatio(a, share) + floorRatio(b, share)).toBeLessThanOrEqual(whole)
        expect(floorPct(a, 10) + floorPct(b, 10)).toBeLessThanOrEqual(floorPct(a + b, 10))
      }),
    )
  })

  test('an amount reads back from its own digits, and no other text is one', () => {
    holds(
      fc.property(sats, (amount) => {
        expect(parseSats(String(amount))).toBe(amount)
      }),
    )
    holds(
      fc.property(fc.string({ maxLength: 20 }), (text) => {
        const amount = parseSats(text)
        if (amount !== null) expect(String(amount)).toBe(text)
      }),
    )
  })
})

describe('tiers', () => {
  const history = fc.record({
    netPaidSats90: sats,
    firstPaidAt: fc.integer({ min: 0, max: 2_000_000 }),
    paidDays: fc.integer({ min: 0, max: 90 }),
    nowSeconds: fc.integer({ min: 0, max: 2_000_000 }),
  })

  test('paying more, earlier or on more days never lowers an earned tier', () => {
    holds(
      fc.property(history, sats, fc.nat(1_000_000), fc.nat(5), (one, more, earlier, days) => {
        fc.pre(one.netPaidSats90 + more <= ALL_SATS)
        const before = earnedTier(one)
        const after = earnedTier({
          ...one,
          netPaidSats90: one.netPaidSats90 + more,
          firstPaidAt: one.firstPaidAt - earlier,
          paidDays: one.paidDays + days,
        })
        expect(higherTier(before, after)).toBe(after)
      }),
    )
  })

  test('an earned tier above new has its sats, its age and its days', () => {
    holds(
      fc.property(history, (one) => {
        if (earnedTier(one) === 'new') return
        expect(one.netPaidSats90).toBeGreaterThanOrEqual(500)
        expect(one.nowSeconds - one.firstPaidAt).toBeGreaterThanOrEqual(604_800)
        expect(one.paidDays).toBeGreaterThanOrEqual(3)
      }),
    )
  })

  test('the tier that counts is one of the two, at least as high as each, unless banned', () => {
    holds(
      fc.property(tier, fc.option(tier), fc.boolean(), (earned, granted, banned) => {
        const counted = tierOf({ earned, granted, banned })
        if (banned) {
          expect(counted.tier).toBe('new')
          return
        }
        expect(counted.tier).toBe(counted.source === 'granted' ? granted : earned)
        expect(higherTier(counted.tier, earned)).toBe(counted.tier)
        if (granted !== null) expect(higherTier(counted.tier, granted)).toBe(counted.tier)
      }),
    )
  })
})

describe('room', () => {
  test('the room is the least of its terms, and no term is negative, whatever comes in', () => {
    holds(
      fc.property(anyRoom, (input) => {
        const { roomSats, terms } = room(input)
        const bounds = [terms.budgetSats, terms.poolSats, terms.breakerSats]
        if (input.ratio) expect(terms.ratioSats).not.toBeNull()
        if (terms.ratioSats !== null) bounds.push(terms.ratioSats)
        for (const bound of bounds) expect(isSats(bound)).toBe(true)
        expect(roomSats).toBe(Math.min(...bounds))
      }),
      5_000,
    )
  })

  test('giving the whole room away passes no term', () => {
    holds(
      fc.property(soundRoom, (input) => {
        const { roomSats } = room(input)
        if (roomSats === 0) return
        const { ratio: earned, breaker, ownPromiseSats = 0, shortfalls } = input
        const today = ownPromiseSats + (shortfalls?.todaySats ?? 0)
        const taken = input.absorbedTodaySats + today + roomSats
        expect(taken).toBeLessThanOrEqual(input.budgetSats)
        expect(roomSats).toBeLessThanOrEqual(input.poolSats)
        const outflow = BigInt(breaker.usedSats + roomSats) * 100n
        expect(outflow).toBeLessThanOrEqual(
          BigInt(breaker.openingSats) * BigInt(breaker.outflowPct),
        )
        if (!earned) return
        const sats90 = ownPromiseSats + (shortfalls?.sats90 ?? 0)
        const granted = BigInt(earned.grantsSats90 + sats90 + roomSats) * 1_000_000n
        const parts = BigInt(Math.round(earned.earnedGrantRatio * 1e6))
        expect(granted).toBeLessThanOrEqual(BigInt(earned.netPaidSats90) * parts)
      }),
      5_000,
    )
  })

  test('what was taken makes the room smaller by at most as much', () => {
    holds(
      fc.property(soundRoom, fc.nat(500), (input, taken) => {
        const before = room(input).roomSats
        const after = room({ ...input, absorbedTodaySats: input.absorbedTodaySats + taken })
        expect(after.roomSats).toBeLessThanOrEqual(before)
        expect(after.roomSats).toBeGreaterThanOrEqual(before - taken)
      }),
    )
  })
})

describe('decide', () => {
  const question = fc.record({
    tier,
    banned: fc.boolean(),
    poolPaused: fc.boolean(),
    room: anyRoom.map(room),
    estimateSats: anyNumber,
  })

  test('every question has an answer in amounts of sats that add up to the estimate', () => {
    holds(
      fc.property(question, (asked) => {
        const { serve, absorbSats, chargeSats, reason } = decide(asked)
        expect(isSats(absorbSats) && isSats(chargeSats)).toBe(true)
        expect(absorbSats).toBeLessThanOrEqual(asked.room.roomSats)
        if (reason !== 'bad_estimate') expect(absorbSats + chargeSats).toBe(asked.estimateSats)
        expect(serve === 'free').toBe(chargeSats === 0)
        expect(serve === 'gate').toBe(absorbSats === 0)
        expect(serve === 'partial').toBe(absorbSats > 0 && chargeSats > 0)
      }),
      5_000,
    )
  })

  test('a new, banned or paused question is gated', () => {
    holds(
      fc.property(question, (asked) => {
        if (asked.tier === 'new' || asked.banned || asked.poolPaused) {
          expect(decide(asked).serve).toBe('gate')
        }
      }),
    )
  })

  test('garbage in place of the whole room is a gate', () => {
    holds(
      fc.property(question, anyNumber, (asked, roomSats) => {
        const decision = decide({ ...asked, room: { ...asked.room, roomSats } })
        if (!isSats(roomSats)) expect(decision.serve).toBe('gate')
        expect(isSats(decision.absorbSats) && isSats(decision.chargeSats)).toBe(true)
      }),
    )
  })
})

describe('promises', () => {
  test('all open promises together never pass the pool or the breaker', () => {
    const invoice = fc.record({
      absorbSats: sats,
      estimateSats: sats,
      hasOpenDiscount: fc.boolean(),
    })
    holds(
      fc.property(sats, sats, fc.array(invoice), (pool, breaker, all) => {
        let openPromisesSats = 0
        for (const one of all) {
          const promised = boundPromise({
            ...one,
            poolSats: pool,
            openPromisesSats,
            breakerSats: breaker,
          })
          expect(promised).toBeLessThanOrEqual(one.absorbSats)
          expect(one.estimateSats - promised).toBeGreaterThanOrEqual(Math.min(1, one.estimateSats))
          if (one.hasOpenDiscount) expect(promised).toBe(0)
          openPromisesSats += promised
          expect(openPromisesSats).toBeLessThanOrEqual(Math.min(pool, breaker))
        }
      }),
    )
  })

  test('garbage promises nothing that is no amount, and reserves nothing', () => {
    holds(
      fc.property(anyNumber, anyNumber, anyNumber, anyNumber, anyNumber, anyRoom, (...all) => {
        const [absorbSats, estimateSats, poolSats, openPromisesSats, breakerSats, input] = all
        const promised = boundPromise({
          absorbSats,
          estimateSats,
          poolSats,
          openPromisesSats,
          hasOpenDiscount: false,
          breakerSats,
        })
        expect(isSats(promised)).toBe(true)
        const reserved = reserveNow({ promisedSats: absorbSats, room: room(input) })
        expect(isSats(reserved)).toBe(true)
        expect(reserved).toBeLessThanOrEqual(room(input).roomSats)
      }),
    )
  })

  test('a reservation at payment is the promise as far as the room reaches', () => {
    holds(
      fc.property(sats, anyRoom, (promisedSats, input) => {
        const now = room(input)
        const reserved = reserveNow({ promisedSats, room: now })
        expect(reserved).toBe(Math.min(promisedSats, now.roomSats))
      }),
    )
  })
})

describe('settlement', () => {
  const amount = fc.oneof(
    sats.filter((value) => value <= 2 ** 50),
    fc.nat(50),
  )

  test('paid + absorbed + shortfall = actual + refund, and reserved = absorbed + returned', () => {
    holds(
      fc.property(amount, amount, amount, pct, (actualSats, reservedSats, paidSats, percent) => {
        const end = settle({ actualSats, reservedSats, paidSats, poolCreditPct: percent })
        for (const value of Object.values(end)) expect(isSats(value)).toBe(true)
        expect(paidSats + end.absorbedSats + end.shortfallSats).toBe(actualSats + end.refundSats)
        expect(reservedSats).toBe(end.absorbedSats + end.returnedSats)
        expect(paidSats).toBe(end.chargeSats + end.refundSats)
        expect(end.refundSats).toBeLessThanOrEqual(paidSats)
        expect(end.absorbedSats).toBe(Math.min(actualSats, reservedSats))
        expect(end.chargeSats).toBe(Math.min(paidSats, Math.max(0, actualSats - end.absorbedSats)))
        expect(BigInt(end.creditSats)).toBe((BigInt(end.chargeSats) * BigInt(percent)) / 100n)
        // Shortfall and a gift back at once would pay a customer out of the operator's account.
        expect(Math.min(end.shortfallSats, end.refundSats)).toBe(0)
        expect(Math.min(end.shortfallSats, end.returnedSats)).toBe(0)
      }),
      5_000,
    )
  })

  test('a cost within quote and promise leaves no shortfall', () => {
    holds(
      fc.property(amount, amount, fc.nat(100), (reservedSats, paidSats, part) => {
        const actualSats = Math.floor(((reservedSats + paidSats) * part) / 100)
        const end = settle({ actualSats, reservedSats, paidSats, poolCreditPct: 10 })
        expect(end.shortfallSats).toBe(0)
      }),
    )
  })

  test('a shortfall is at most what the promise lost and what the cost passed the quote', () => {
    holds(
      fc.property(amount, amount, amount, fc.nat(100), (promised, paidSats, actualSats, part) => {
        const reservedSats = Math.floor((promised * part) / 100)
        const end = settle({ actualSats, reservedSats, paidSats, poolCreditPct: 10 })
        const overQuote = Math.max(0, actualSats - promised - paidSats)
        expect(end.shortfallSats).toBeLessThanOrEqual(promised - reservedSats + overQuote)
      }),
    )
  })

  test('a failed job is charged nothing', () => {
    holds(
      fc.property(amount, amount, (reservedSats, paidSats) => {
        const end = settleFailed({ reservedSats, paidSats })
        expect(end.refundSats).toBe(paidSats)
        expect(end.returnedSats).toBe(reservedSats)
        expect(end.absorbedSats + end.chargeSats + end.shortfallSats + end.creditSats).toBe(0)
      }),
    )
  })
})
