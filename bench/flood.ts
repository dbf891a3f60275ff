import { fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { loadCurve } from '../src/nostr/curve.ts'
import { createIdentity, generateSecretKey } from '../src/nostr/identity.ts'
import { askInvoice } from './conversation.ts'
import { type Crowd, openCrowd } from './crowd.ts'
import { percentile, rounded, tell } from './figures.ts'
import { openStage, type Stage } from './stage.ts'

const CUSTOMERS = 8
const KEYS_EACH = 8
/** Each customer asks so often: a steady load, the same with the flood and without. */
const EVERY_MS = 500
const MIB = 1024 * 1024
const RECOVER_SECONDS = 10
/** A daemon that has just started still grows, flood or not. */
const WARM_UP_SECONDS = 20

interface Phase {
  asked: number
  answered: number
  p50Ms: number
  p99Ms: number
  loopDelayP99Ms: number
  residentMib: number
  cpuShare: number
}

/**
 * Honest customers beside 100 junk wraps with true signatures and 2,000 duplicate or broken events a second, then
 * beside ten times as much, then alone again.
 */
export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      json: { type: 'boolean', default: false },
      seconds: { type: 'string', default: '60' },
    },
  })
  const seconds = Number(values.seconds)
  const { curve } = await loadCurve()
  const secret = generateSecretKey()
  const bot = createIdentity(curve, secret).pubkey
  const enemy = fork(new URL('flood-enemy.ts', import.meta.url).pathname)
  await using stage = await openStage({
    secret,
    otherRelays: async (relay) => {
      enemy.send({ bot, relay })
      const [url] = await once(enemy, 'message')
      return [String(url)]
    },
  })
  await using crowd = await openCrowd({
    relay: stage.relays[0] ?? '',
    bot,
    customers: CUSTOMERS,
    keysEach: KEYS_EACH,
  })
  await phase(stage, crowd, WARM_UP_SECONDS)
  const calm = await phase(stage, crowd, Math.min(20, seconds))
  show('no flood', calm)
  enemy.send({ strength: 1 })
  const flooded = await phase(stage, crowd, seconds)
  show('flood', flooded)
  const counted = await droppedBy(stage)
  enemy.send({ strength: 10 })
  const tenfold = await phase(stage, crowd, Math.min(20, seconds))
  show('ten times', tenfold)
  enemy.send({ strength: 0 })
  await pause(RECOVER_SECONDS * 1000)
  const after = await phase(stage, crowd, 5)
  show('after it', after)
  enemy.send('sent')
  const [sent] = await once(enemy, 'message')
  const shed = await droppedBy(stage)
  enemy.disconnect()
  const flood = {
    lost: [flooded, after].reduce((sum, { asked, answered }) => sum + asked - answered, 0),
    p99Ratio: rounded(flooded.p99Ms / calm.p99Ms, 2),
    loopDelayP99Ms: rounded(flooded.loopDelayP99Ms),
    growthMib: rounded(flooded.residentMib - calm.residentMib),
    counted,
    calm,
    flooded,
    tenfold,
    after,
    shed,
    sent,
  }
  tell(
    `lost ${flood.lost}, p99 ${flood.p99Ratio} times the calm one, ` +
      `loop delay p99 ${flood.loopDelayP99Ms} ms, memory +${flood.growthMib} MiB, ` +
      `junk counted ${shed} of ${JSON.stringify(sent)}`,
  )
  if (values.json) console.log(JSON.stringify({ flood }))
}

/** Every customer asks on its beat, whether it was answered or not. */
async function phase(stage: Stage, crowd: Crowd, seconds: number): Promise<Phase> {
  await stage.usage()
  const all: number[] = []
  let asked = 0
  const until = performance.now() + seconds * 1000
  const open = new Set<Promise<void>>()
  await Promise.all(
    Array.from({ length: CUSTOMERS }, async (_, customer) => {
      await pause((EVERY_MS * customer) / CUSTOMERS)
      while (performance.now() < until) {
        asked += 1
        const asking = askInvoice(crowd, customer)
          .then(({ ms }) => void all.push(ms))
          .catch(() => {})
          .finally(() => open.delete(asking))
        open.add(asking)
        await pause(EVERY_MS)
      }
    }),
  )
  const { cpuMs, residentBytes, loopDelayP99Ms } = await stage.usage()
  await Promise.all(open)
  return {
    asked,
    answered: all.length,
    p50Ms: rounded(percentile(all, 0.5)),
    p99Ms: rounded(percentile(all, 0.99)),
    loopDelayP99Ms: rounded(loopDelayP99Ms),
    residentMib: rounded(residentBytes / MIB),
    cpuShare: rounded(cpuMs / (seconds * 1000), 2),
  }
}

const show = (name: string, { asked, answered, p50Ms, p99Ms, ...rest }: Phase) =>
  tell(
    `${name.padEnd(10)} ${answered} of ${asked} answered, p50 ${p50Ms} ms, ` +
      `p99 ${p99Ms} ms, loop delay p99 ${rest.loopDelayP99Ms} ms, ` +
      `${rest.residentMib} MiB, cpu ${rest.cpuShare}`,
  )

/** Events that the daemon counted as dropped, for whatever reason. */
async function droppedBy({ statusUrl }: Stage): Promise<number> {
  const text = await (await fetch(new URL('/metrics', statusUrl))).text()
  const counts = [...text.matchAll(/^tithe_intake_dropped_total\{[^}]*\} (\d+)/gm)]
  return counts.reduce((sum, [, count]) => sum + Number(count), 0)
}
