import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { daemonLab } from '../support/daemon-lab.ts'
import { forgeWrap } from '../support/forge.ts'
import { rumorFieldShapes, rumorShapes } from '../support/forged-rumors.ts'
import { sealShapes } from '../support/forged-seals.ts'
import type { Cast } from '../support/forged-shape.ts'
import { wrapContentShapes, wrapShapes } from '../support/forged-wraps.ts'
import { newIdentity, nowSeconds, scripted } from '../support/relay-lab.ts'
import { rawStranger } from '../support/strangers/nostr-tools.ts'
import { until } from '../support/until.ts'

const MIB = 1024 * 1024
/** Questions that a fresh process is asked before its memory is looked at. */
const WARM_UP = 20
const BOMBS = 2
const secret = Buffer.alloc(32, 7)

/** Every forged shape for the bot, as it goes over the wire. */
function forgeries() {
  const [bot, victim, forger] = [newIdentity(secret), newIdentity(), newIdentity()]
  const cast: Cast = { bot, victim, forger, nowSeconds: nowSeconds() }
  const shapes = [
    ...wrapShapes(cast),
    ...wrapContentShapes(cast),
    ...sealShapes(cast),
    ...rumorShapes(cast),
    ...rumorFieldShapes(cast),
  ]
  return shapes.map(({ code, forgery }) => {
    const made = forgeWrap({ author: forger, to: bot.pubkey, nowSeconds: cast.nowSeconds }, forgery)
    return { code, json: JSON.stringify(made) }
  })
}

/** Frames that are poison before anything in them is read. */
function frames(sub: string): string[] {
  const frame = (event: string) => `["EVENT","${sub}",${event}]`
  const fields = { id: 'a'.repeat(64), pubkey: 'b'.repeat(64), sig: 'c'.repeat(128), tags: [] }
  const event = (some: object) =>
    frame(JSON.stringify({ ...fields, kind: 1059, content: '', ...some }))
  return [
    '['.repeat(100_000),
    frame(`${'['.repeat(50_000)}${']'.repeat(50_000)}`),
    frame(`{"__proto__":{"kind":1059},"id":"${fields.id}"}`),
    frame(`{"kind":1059,"kind":4}`),
    event({ created_at: 1e308 }),
    event({ created_at: -1 }),
    event({ created_at: 1, id: 'A'.repeat(64) }),
    event({ created_at: 1, content: '\0' }),
    event({ created_at: 1, content: '\ud800' }),
    `["EVENT","${sub}",`,
    '\ufeff',
    '{}',
    'null',
  ]
}

const residentBytes = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024

test('poison of every shape is refused, noted once, and the next customer is served', async () => {
  const forged = forgeries()
  await using lab = await daemonLab({ secret })
  let asked = 0
  await using hostile = await scripted(([type, sub], _say, socket) => {
    if (type !== 'REQ') return
    asked += 1
    for (const text of frames(String(sub))) socket.send(text)
    for (const { json } of [...forged, ...forged]) socket.send(`["EVENT","${sub}",${json}]`)
    socket.send(`["EOSE","${sub}"]`)
  })
  const daemon = await lab.start({ RELAYS: `${lab.relay.url},${hostile.url}` })
  await until('the hostile relay was asked', () => asked >= 4)
  const poisons = forged.filter(({ code }) => code === 'poison')
  const rows = await until('all poison is noted', async () => {
    const found = await lab.db.sql`select hash, reason from inbox_quarantine`
    return found.length >= poisons.length ? found : undefined
  })
  expect(rows).toHaveLength(poisons.length)
  await using one = await rawStranger({ bot: daemon.pubkey, relay: lab.relay.url })
  await one.begin()
  await one.announce()
  await one.say('nip17', '/help')
  await one.hear('help', ({ text }) => text.includes('/balance'))
  expect(await lab.db.sql`select sender from inbox`).toEqual([{ sender: one.pubkey }])
})

test('frames of 100 MiB cost one relay its connection and the daemon no memory', async () => {
  await using lab = await daemonLab()
  const bomb = 'x'.repeat(100 * MIB)
  let thrown = 0
  let throwNext: (() => void) | undefined
  await using hostile = await scripted(
    () => {},
    (_say, socket) => {
      throwNext = () => {
        thrown += 1
        if (thrown <= BOMBS) socket.send(bomb, () => {})
      }
      if (thrown > 0) throwNext()
    },
  )
  const daemon = await lab.start({ RELAYS: `${lab.relay.url},${hostile.url}` })
  const customer = await lab.customer()
  const askBalance = async () =>
    expect(await customer.reply(await customer.ask({ type: 'balance' }))).toMatchObject({
      type: 'balance',
    })
  // A process that has just started still grows by its first customer, whoever bombs it.
  for (let at = 0; at < WARM_UP; at += 1) await askBalance()
  await until('the hostile relay is connected', () => throwNext !== undefined)
  const before = residentBytes(daemon.pid)
  throwNext?.()
  await until('it came back after each bomb', () => hostile.connections() > BOMBS)
  await askBalance()
  expect(residentBytes(daemon.pid) - before).toBeLessThan(16 * MIB)
})
