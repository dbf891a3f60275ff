import { boundPromise, decide, reserveNow } from '../../../../src/money/decide.ts'
import { type Room, room } from '../../../../src/money/room.ts'
import { defaultMoneyRules, type MoneyRules } from '../../../../src/money/rules.ts'
import { floorPct, floorRatio } from '../../../../src/money/sats.ts'
import { settle, settleFailed } from '../../../../src/money/settlement.ts'
import { earnedTier, TRUST_WINDOW_DAYS, type Tier, tierOf } from '../../../../src/money/tiers.ts'
import { emptyTally, type Tally } from './tally.ts'

/** Virtual days of one attack. */
export const DAYS = 120
/** Most keys of one attacker. */
export const KEYS = 12
const DAY_SECONDS = 86_400

/**
 * `careful` hands the rules all that `room` and `boundPromise` ask for. `loose` is what a caller
 * who takes the pool for the only bound of promises would do: a key's own promise takes no room, Σ
 * open promises stops at the pool and not at the breaker, and shortfalls are forgotten. It is
 * played to show what the difference is worth to an attacker.
 */
export type Books = 'careful' | 'loose'

/** Work that is running: reserved and paid, not yet settled. */
export interface Running {
  key: number
  reservedSats: number
  reservedDay: number
  paidSats: number
  estimateSats: number
  promisedSats: number
}

/**
 * The bookkeeping of the design in memory, for one attacker with many keys: the pool with its day
 * counters, sums over 90 days, balances, one open discounted invoice per key. It decides nothing:
 * every answer comes from the rules in `src/money`.
 */
export function createLedger(books: Books) {
  const careful = books === 'careful'
  const rules: MoneyRules = { ...defaultMoneyRules }
  const netByDay = new Float64Array(KEYS * DAYS)
  const grantsByDay = new Float64Array(KEYS * DAYS)
  const shortByDay = new Float64Array(KEYS * DAYS)
  const openingByDay = new Float64Array(DAYS)
  const usedByDay = new Float64Array(DAYS)
  const shortAllByDay = new Float64Array(DAYS)
  const net90 = new Float64Array(KEYS)
  const grants90 = new Float64Array(KEYS)
  const short90 = new Float64Array(KEYS)
  const paidDays = new Int32Array(KEYS)
  const firstPaidAt = new Float64Array(KEYS)
  const balance = new Float64Array(KEYS)
  const paid = new Float64Array(KEYS)
  const absorbed = new Float64Array(KEYS)
  const short = new Float64Array(KEYS)
  const reserved = new Float64Array(KEYS)
  const promised = new Float64Array(KEYS)
  const promisedCharge = new Float64Array(KEYS)
  const granted: (Tier | null)[] = new Array(KEYS).fill(null)
  let keys = 0
  let day = 0
  let pool = 0
  let credits = 0
  let earnedCredits = 0
  let openPromises = 0
  let cashIn = 0
  let tally: Tally = emptyTally()

  const at = (key: number, onDay: number) => key * DAYS + onDay
  const get = (array: Float64Array | Int32Array, index: number) => array[index] as number
  const add = (array: Float64Array, index: number, sats: number) => {
    array[index] = get(array, index) + sats
  }

  function reset(keyCount: number, earnedGrantRatio: number, grantedKeys: number): void {
    rules.earnedGrantRatio = earnedGrantRatio
    keys = keyCount
    day = 0
    pool = rules.poolSeedSats
    credits = 0
    earnedCredits = 0
    openPromises = 0
    cashIn = 0
    tally = emptyTally()
    for (const array of [netByDay, grantsByDay, shortByDay, openingByDay]) array.fill(0)
    usedByDay.fill(0)
    shortAllByDay.fill(0)
    for (const array of [net90, grants90, short90, balance, paid, absorbed, short]) array.fill(0)
    for (const array of [reserved, promised, promisedCharge]) array.fill(0)
    paidDays.fill(0)
    firstPaidAt.fill(-1)
    for (let key = 0; key < KEYS; key++) granted[key] = key < grantedKeys ? 'trusted' : null
    openingByDay[0] = pool
  }

  function openDay(nextDay: number): void {
    day = nextDay
    openingByDay[day] = pool
    const gone = day - TRUST_WINDOW_DAYS
    if (gone < 0) return
    for (let key = 0; key < keys; key++) {
      const net = get(netByDay, at(key, gone))
      add(net90, key, -net)
      add(grants90, key, -get(grantsByDay, at(key, gone)))
      add(short90, key, -get(shortByDay, at(key, gone)))
      if (net > 0) paidDays[key] = get(paidDays, key) - 1
    }
  }

  /** Jobs of honest customers: all the attacker sees of them is the pool's tenth. */
  function honestCharges(sats: number): void {
    const creditSats = floorPct(sats, rules.poolCreditPct)
    pool += creditSats
    credits += creditSats
  }

  function tierNow(key: number, seconds: number): { tier: Tier; source: 'earned' | 'granted' } {
    const first = get(firstPaidAt, key)
    const earned = earnedTier({
      netPaidSats90: get(net90, key),
      firstPaidAt: first < 0 ? null : first,
      paidDays: get(paidDays, key),
      nowSeconds: day * DAY_SECONDS + seconds,
    })
    return tierOf({ earned, granted: granted[key] ?? null, banned: false })
  }

  function roomNow(key: number, tier: Tier, earned: boolean): Room {
    return room({
      budgetSats: rules.budgets[tier],
      absorbedTodaySats: get(grantsByDay, at(key, day)),
      ratio: earned
        ? {
            netPaidSats90: get(net90, key),
            grantsSats90: get(grants90, key),
            earnedGrantRatio: rules.earnedGrantRatio,
          }
        : null,
      poolSats: pool,
      breaker: {
        openingSats: get(openingByDay, day),
        outflowPct: rules.poolDailyOutflowPct,
        usedSats: get(usedByDay, day),
      },
      ownPromiseSats: careful ? get(promised, key) : 0,
      shortfalls: careful
        ? { todaySats: get(shortByDay, at(key, day)), sats90: get(short90, key) }
        : null,
    })
  }

  /** What the key could get free now; an attacker knows the rules as well as we do. */
  function roomSats(key: number, seconds: number): number {
    const { tier, source } = tierNow(key, seconds)
    if (tier === 'new') return 0
    return roomNow(key, tier, source === 'earned').roomSats
  }

  /**
   * One request. `free` work, and work a balance covers, is running at once; a discounted invoice
   * stays open as the key's promise until `redeem` or `expire`; a full price is paid at once where
   * `pays` says so.
   */
  function ask(key: number, estimateSats: number, seconds: number, pays: boolean): Running | null {
    const { tier, source } = tierNow(key, seconds)
    const roomOfKey = roomNow(key, tier, source === 'earned')
    const decision = decide({
      tier,
      banned: false,
      poolPaused: false,
      room: roomOfKey,
      estimateSats,
    })
    const { serve, absorbSats, chargeSats } = decision
    if (tier === 'new' && absorbSats > 0) tally.violations.newTier++
    if (serve === 'free') return start(key, absorbSats, 0, estimateSats, 0)
    if (!pays && serve === 'gate') return null
    if (get(balance, key) >= chargeSats) return start(key, absorbSats, chargeSats, estimateSats, 0)
    const promisedSats =
      serve === 'gate'
        ? 0
        : boundPromise({
            absorbSats,
            estimateSats,
            poolSats: pool,
            openPromisesSats: openPromises,
            hasOpenDiscount: get(promised, key) > 0,
            breakerSats: careful ? roomOfKey.terms.breakerSats : pool,
          })
    if (promisedSats === 0) return pays ? startPaid(key, estimateSats) : null
    if (get(promised, key) > 0) tally.violations.promises++
    promised[key] = promisedSats
    promisedCharge[key] = estimateSats - promisedSats
    openPromises += promisedSats
    if (openPromises > (careful ? roomOfKey.terms.breakerSats : pool)) tally.violations.promises++
    if (openPromises > tally.openPromisesSatsMax) tally.openPromisesSatsMax = openPromises
    return null
  }

  function startPaid(key: number, estimateSats: number): Running {
    cashIn += estimateSats
    add(balance, key, estimateSats)
    return start(key, 0, estimateSats, estimateSats, 0)
  }

  /**
   * The discounted invoice is paid: as much of the promise is reserved as the room of now allows.
   */
  function redeem(key: number, seconds: number): Running | null {
    const promisedSats = get(promised, key)
    if (promisedSats === 0) return null
    const chargeSats = get(promisedCharge, key)
    expire(key)
    const { tier, source } = tierNow(key, seconds)
    const roomOfKey = roomNow(key, tier, source === 'earned')
    const reservedSats = reserveNow({ promisedSats, room: roomOfKey })
    cashIn += chargeSats
    add(balance, key, chargeSats)
    return start(key, reservedSats, chargeSats, chargeSats + promisedSats, promisedSats)
  }

  function expire(key: number): void {
    openPromises -= get(promised, key)
    promised[key] = 0
  }

  function start(
    key: number,
    reservedSats: number,
    paidSats: number,
    estimateSats: number,
    promisedSats: number,
  ): Running {
    pool -= reservedSats
    add(usedByDay, day, reservedSats)
    add(grantsByDay, at(key, day), reservedSats)
    add(grants90, key, reservedSats)
    add(reserved, key, reservedSats)
    add(balance, key, -paidSats)
    const opening = get(openingByDay, day)
    const used = get(usedByDay, day)
    if (used > floorPct(opening, rules.poolDailyOutflowPct)) tally.violations.outflow++
    if (pool < 0 || get(balance, key) < 0) tally.violations.negative++
    if (opening > 0 && (used / opening) * 100 > tally.outflowPctMax) {
      tally.outflowPctMax = (used / opening) * 100
    }
    checkRatio(key)
    return { key, reservedSats, reservedDay: day, paidSats, estimateSats, promisedSats }
  }

  function checkRatio(key: number): void {
    if (granted[key] !== null) return
    const capSats = floorRatio(get(paid, key), rules.earnedGrantRatio)
    const grantedSats = get(absorbed, key) + get(reserved, key)
    if (grantedSats > capSats) tally.violations.ratio++
    if (careful && grantedSats + get(short, key) > capSats) tally.violations.ratio++
  }

  function finish(job: Running, actualSats: number, failed: boolean, seconds: number): void {
    const { key, reservedSats, reservedDay, paidSats } = job
    const { poolCreditPct } = rules
    const end = failed
      ? settleFailed({ reservedSats, paidSats })
      : settle({ actualSats, reservedSats, paidSats, poolCreditPct })
    pool += end.returnedSats + end.creditSats
    credits += end.creditSats
    earnedCredits += end.creditSats
    add(usedByDay, reservedDay, -end.returnedSats)
    add(grantsByDay, at(key, reservedDay), -end.returnedSats)
    add(grants90, key, -end.returnedSats)
    add(reserved, key, -reservedSats)
    add(absorbed, key, end.absorbedSats)
    add(balance, key, end.refundSats)
    if (get(grantsByDay, at(key, reservedDay)) < 0) tally.violations.negative++
    if (get(usedByDay, reservedDay) < 0) tally.violations.negative++
    if (end.shortfallSats > job.promisedSats) tally.violations.shortfall++
    if (granted[key] === null) {
      tally.absorbedSats += end.absorbedSats
      tally.paidSats += end.chargeSats
      tally.shortfallSats += end.shortfallSats
    }
    add(short, key, end.shortfallSats)
    add(shortByDay, at(key, day), end.shortfallSats)
    add(short90, key, end.shortfallSats)
    add(shortAllByDay, day, end.shortfallSats)
    tally.shortfallDaySatsMax = Math.max(tally.shortfallDaySatsMax, get(shortAllByDay, day))
    if (end.chargeSats === 0) return
    if (get(netByDay, at(key, day)) === 0) paidDays[key] = get(paidDays, key) + 1
    if (get(firstPaidAt, key) < 0) firstPaidAt[key] = day * DAY_SECONDS + seconds
    add(netByDay, at(key, day), end.chargeSats)
    add(net90, key, end.chargeSats)
    add(paid, key, end.chargeSats)
  }

  /** A top-up, and the withdrawal of all of it: money in a circle that earns no trust. */
  function circle(key: number, sats: number): void {
    const before = get(net90, key)
    add(balance, key, sats)
    cashIn += sats
    withdraw(key)
    if (get(net90, key) !== before) tally.violations.conservation++
  }

  function withdraw(key: number): void {
    cashIn -= get(balance, key)
    balance[key] = 0
  }

  /**
   * The end: nothing is running, so every sat is in the pool, in a balance, charged or absorbed.
   */
  function close(): Tally {
    let absorbedAll = 0
    let paidAll = 0
    let balances = 0
    for (let key = 0; key < keys; key++) {
      absorbedAll += get(absorbed, key)
      paidAll += get(paid, key)
      balances += get(balance, key)
      if (get(reserved, key) !== 0) tally.violations.conservation++
      checkRatio(key)
    }
    if (pool !== rules.poolSeedSats + credits - absorbedAll) tally.violations.conservation++
    if (earnedCredits > floorPct(paidAll, rules.poolCreditPct)) tally.violations.conservation++
    if (cashIn !== paidAll + balances) tally.violations.conservation++
    return tally
  }

  return {
    reset,
    openDay,
    honestCharges,
    roomSats,
    ask,
    redeem,
    expire,
    finish,
    circle,
    withdraw,
    close,
    hasPromise: (key: number) => get(promised, key) > 0,
  }
}

export type Ledger = ReturnType<typeof createLedger>
