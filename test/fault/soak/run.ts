import { systemClock } from '../../../src/clock.ts'
import { LANE_CHANNEL } from '../../../src/store/lanes.ts'
import { grantsWatch, unbooked, unended } from '../../support/checkers.ts'
import { mailbag } from '../../support/mailbag.ts'
import type { Seeded } from '../../support/seeded.ts'
import { until } from '../../support/until.ts'
import { heal, rage } from './chaos.ts'
import { live } from './customers.ts'
import { createFleet } from './fleet.ts'
import { openPost } from './post.ts'
import { type Judged, judge } from './verdict.ts'
import { openWorld, steadily, type World } from './world.ts'

export interface SoakOptions {
  random: Seeded
  /** At least so long, and until there were at least so many kills. */
  ms: number
  killsMin: number
  replicas?: number
  customers?: number
  say(line: string): void
}

const HEALED_MS = 120_000
const QUIET_MS = 250

/**
 * Replicas, customers of all kinds and everything that can go wrong, for a while; then everything is healed, and
 * what the customers asked for must have come to its end, once, with whole books.
 */
export async function runSoak(options: SoakOptions): Promise<Judged> {
  const { random, say, replicas = 3, customers = 12 } = options
  await using world = await openWorld(random)
  const mail = await mailbag(world.bot, { count: customers, random })
  const keys = new Map(mail.customers.map((identity) => [identity.pubkey, identity]))
  const post = openPost(world.relays, { bot: world.bot.pubkey, customers: keys })
  const { dir, settings } = world
  const fleet = createFleet({ size: replicas, dir, settings, random })
  try {
    await until('a daemon is up', () => fleet.upCount() > 0, 60_000)
    const broken = await grantsWatch(world.sql)
    const ends = systemClock.now() + options.ms
    const isOver = () => systemClock.now() > ends && fleet.kills >= options.killsMin
    const done = new Map<string, number>()
    const street = { world, post, mail, random, isOver }
    const lives = mail.customers.map((identity, n) => live(street, identity, n))
    await rage({ world, fleet, random, done }, isOver)
    say(`${[...done].map(([name, count]) => `${name} ${count}`).join(', ')}`)
    await heal(world)
    await Promise.all(lives)
    await settle(world, say)
    const codes = await fleet.stop()
    post.read()
    const judged = await judge(world, {
      ...{ seed: random.seed, kills: fleet.kills, mail },
      ...{ heard: post.heard, logs: fleet.logs() },
    })
    const stops = codes.filter((code) => code !== 0).map((code) => `a stop ended with ${code}`)
    return { ...judged, broken: [...judged.broken, ...(await broken()), ...stops] }
  } finally {
    post.stop()
    await fleet.stop()
  }
}

/** Waits until everything has ended; what waits for minutes by design is made to have waited. */
async function settle({ sql, play }: World, say: (line: string) => void): Promise<void> {
  const began = systemClock.now()
  let left: string[] = []
  await until(
    'everything has ended',
    async () => {
      await systemClock.sleep(QUIET_MS)
      await steadily(() => passTime(sql))
      left = await steadily(async () => [
        ...(await unended(sql)),
        ...(await unbooked({ sql, play })),
      ])
      return left.length === 0
    },
    HEALED_MS,
  ).catch(() => say(`not ended: ${left.slice(0, 20).join('; ')}`))
  say(`healed after ${((systemClock.now() - began) / 1000).toFixed(1)} s`)
}

/** Withdrawals are asked about for weeks, and replies tried again for days. */
async function passTime(sql: World['sql']): Promise<void> {
  const rows = await sql`
    update withdrawals set sent_at = sent_at - interval '100 s', due_at = now()
    where finished_at is null and lease is null and due_at > now() returning id`
  const replies = await sql`
    update outbox set due_at = now()
    where delivered_at is null and lease is null and due_at > now() + interval '2 s' returning id`
  if (rows.length > 0) await sql`select pg_notify(${LANE_CHANNEL}, 'withdrawals')`
  if (replies.length > 0) await sql`select pg_notify(${LANE_CHANNEL}, 'outbox')`
}
