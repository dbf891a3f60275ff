import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { npub } from '../../../src/nostr/identity.ts'
import type { EventTemplate, Identity, NostrEvent } from '../../../src/nostr/types.ts'
import {
  type PoolStatusFigures,
  poolStates,
  poolStatusContent,
  poolStatusEvent,
  poolStatusJsonSchema,
} from '../../../src/operator/pool-status.ts'
import { startRelay } from '../../../src/sandbox/relay.ts'
import { connected, newIdentity, nowSeconds } from '../../support/relay-lab.ts'
import { until } from '../../support/until.ts'

const root = join(import.meta.dirname, '../../..')
const EXAMPLE = join(root, 'examples/read-pool-status.ts')

const statusAt = (at: number, changes: Partial<PoolStatusFigures> = {}): EventTemplate =>
  poolStatusEvent({
    ...{ at, seq: 10, state: 'open', balanceSats: 9_000, version: '1.0.0', intervalSeconds: 60 },
    budgets: { new: 0, established: 50, trusted: 200, elite: 1_000 },
    outflow: { limitSats: 950, usedSats: 380 },
    today: {
      jobs: { free: 4, partial: 1, gate: 5 },
      ...{ absorbedSats: 380, creditedSats: 61, shortfallSats: 0 },
    },
    ...changes,
  })

/** The example as somebody runs it, on a relay that holds what `events` says. */
async function reader(bot: Identity) {
  const relay = await startRelay({ verify: () => true })
  const writer = connected({ url: relay.url })
  const child = spawn(process.execPath, [EXAMPLE, npub(bot.pubkey), relay.url])
  let out = ''
  child.stdout.on('data', (chunk) => {
    out += chunk
  })
  child.stderr.on('data', (chunk) => {
    out += chunk
  })
  const lines = () => out.split('\n').filter((line) => line !== '')
  return {
    lines,
    // The relay asks no questions, so that the reader must.
    put: (event: NostrEvent) =>
      writer.publish({ id: event.id, json: JSON.stringify(event) }, 5_000),
    says: (line: RegExp) => until(`${line}`, () => lines().find((said) => line.test(said))),
    async [Symbol.asyncDispose]() {
      const gone = once(child, 'exit')
      child.kill()
      await gone
      await writer.stop()
      await relay.stop()
    },
  }
}

test('the example reader is at most sixty lines', () => {
  expect(readFileSync(EXAMPLE, 'utf8').split('\n').length - 1).toBeLessThanOrEqual(60)
})

test('the example reader tells what is new and passes over what is forged, foreign or older', async () => {
  const [bot, stranger] = [newIdentity(), newIdentity()]
  await using run = await reader(bot)
  const now = nowSeconds()
  await run.put(bot.sign(statusAt(now - 100)))
  await run.says(/^open seq 10 pool 9000 sats$/)
  const rich = bot.sign(statusAt(now - 50, { balanceSats: 1_000_000, seq: 11 }))
  await run.put({ ...rich, sig: rich.sig.replace(/^../, (x) => (x === '00' ? '01' : '00')) })
  await run.put({ ...rich, id: 'ab'.repeat(32), content: rich.content.replace('open', 'paused') })
  await run.put(stranger.sign(statusAt(now - 40, { balanceSats: 2_000_000 })))
  await run.put(bot.sign(statusAt(now - 160, { balanceSats: 3_000_000 })))
  const lying = statusAt(now - 30, { balanceSats: 4_000_000 })
  await run.put(bot.sign({ ...lying, created_at: now - 20 }))
  await run.put(bot.sign(statusAt(now - 10, { seq: 12, state: 'limited' })))
  await run.says(/^limited seq 12 pool 9000 sats$/)
  expect(run.lines()).toHaveLength(2)
})

test('the example reader complains about a falling sequence and about silence', async () => {
  const bot = newIdentity()
  await using run = await reader(bot)
  const now = nowSeconds()
  await run.put(bot.sign(statusAt(now - 200, { seq: 50 })))
  await run.says(/^stale seq 50 /)
  await run.put(bot.sign(statusAt(nowSeconds() - 177, { seq: 40 })))
  await run.says(/^sequence fell from 50 to 40: rolled back\?$/)
  await run.says(/^open seq 40 /)
  await run.says(/^stale: nothing new since /)
  expect(run.lines()).toHaveLength(4)
})

test('the published JSON Schema is the one the bot checks its own content with', () => {
  const text = readFileSync(join(root, 'docs/pool-status.schema.json'), 'utf8')
  expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(poolStatusJsonSchema())))
})

test('the page for readers names every field and every state', () => {
  const page = readFileSync(join(root, 'docs/pool-status.md'), 'utf8')
  for (const state of Object.keys(poolStates)) expect(page).toContain(`| \`${state}\` |`)
  const fields = poolStatusContent.options.flatMap(({ shape }) => Object.keys(shape))
  for (const field of new Set(fields)) expect(page, field).toMatch(new RegExp(`\`${field}[\`.]`))
})
