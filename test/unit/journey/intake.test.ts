import { expect, test } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { refusal } from '../../../src/doors/replies.ts'
import { createIntake, type Taken } from '../../../src/journey/intake.ts'
import { makeRumor, openGiftWrap } from '../../../src/nostr/giftwrap.ts'
import { encryptNip04 } from '../../../src/nostr/nip04.ts'
import { minePow } from '../../../src/nostr/pow.ts'
import type { EventTemplate, NostrEvent } from '../../../src/nostr/types.ts'
import { newIdentity } from '../../support/relay-lab.ts'

const [bot, customer, stranger] = [newIdentity(), newIdentity(), newIdentity()]
const now = Math.floor(systemClock.now() / 1000)

/** What becomes of a wrap whose opener found this message in it. */
function taken(template: Partial<EventTemplate>, sender = customer.pubkey): Promise<Taken> {
  const rumor = makeRumor(sender, {
    ...{ kind: 14, created_at: now, tags: [['p', bot.pubkey]], content: 'hello' },
    ...template,
  })
  const take = createIntake({
    identity: bot,
    open: async () => ({ ok: true, sender, rumor, seal: '{}' }),
    clock: systemClock,
  })
  const wrap: NostrEvent = customer.sign({ kind: 1_059, created_at: now, tags: [], content: '' })
  return take(wrap, 'ws://relay')
}

const why = async (template: Partial<EventTemplate>, sender?: string) => {
  const { kind, ...rest } = await taken(template, sender)
  return 'why' in rest ? rest.why : kind
}

test('a message to the bot alone is a letter, also when its sender is named beside it', async () => {
  expect(await why({})).toBe('letter')
  const tags = [
    ['p', customer.pubkey],
    ['p', bot.pubkey],
  ]
  expect(await why({ tags })).toBe('letter')
})

// Two bots in one room would answer each other for ever.
test('a message of a group room is nobody’s order', async () => {
  const tags = [
    ['p', bot.pubkey],
    ['p', stranger.pubkey],
  ]
  expect(await why({ tags })).toBe('group')
  expect(await why({ tags: [['p', stranger.pubkey]] })).toBe('group')
  expect(await why({ tags: [] })).toBe('group')
})

// NIP-90 knows the request in clear and encrypted; inside a wrap no client would look for 7000 and 6050.
test.each([
  [15, 'file'],
  [5_050, 'job'],
])('a kind %i in a wrap is refused with a word about it: %s', async (kind, found) => {
  const answer = await taken({ kind })
  expect(answer).toMatchObject({ kind: 'unusable', facts: { found } })
  expect(refusal('malformed', { found: found as 'file' | 'job' }).message).toMatch(/text/)
})

test('in a flood only wraps with the proof of work that was asked for are opened', async () => {
  let opened = 0
  const take = createIntake({
    identity: bot,
    async open() {
      opened += 1
      return { ok: false, code: 'wrap-decrypt' }
    },
    clock: systemClock,
    powBits: 8,
  })
  const template = { kind: 1_059, created_at: now, content: '', pubkey: customer.pubkey }
  const wrap = (tags: string[][]) => customer.sign({ ...template, tags })
  const lazy = await take(wrap([['p', bot.pubkey]]), 'ws://relay')
  const lying = await take(wrap([['nonce', '1', '200']]), 'ws://relay')
  expect([lazy, lying]).toEqual([0, 1].map(() => ({ kind: 'dropped', why: 'pow' })))
  expect(opened).toBe(0)
  const { signal } = new AbortController()
  const mined = await minePow({ ...template, tags: [] }, 8, signal, systemClock)
  await take(customer.sign(mined), 'ws://relay')
  expect(opened).toBe(1)
})

test('own messages, those of tomorrow and other kinds are dropped', async () => {
  expect(await why({}, bot.pubkey)).toBe('own')
  expect(await why({ created_at: now + 86_400 })).toBe('future')
  expect(await why({ kind: 7 })).toBe('rumor-kind')
})

// Anybody can sign a receipt over any sum: money is what LNbits says came in.
test('a zap receipt that names the bot is no request and no payment', async () => {
  const take = createIntake({
    identity: bot,
    open: async (wrap) => openGiftWrap({ wrap, identity: bot, nowSeconds: now }),
    clock: systemClock,
  })
  const tags = [
    ['p', bot.pubkey],
    ['bolt11', 'lnbc10m1…'],
    ['amount', '1000000000'],
  ]
  const receipt = stranger.sign({ kind: 9_735, created_at: now, tags, content: '' })
  expect(await take(receipt, 'ws://relay')).toMatchObject({ kind: 'dropped' })
  expect(await why({ kind: 9_735 })).toBe('rumor-kind')
})

// Some relays take and serve what has expired (NIP-40); a wrap that has is refused by its opener.
test.each([4, 5_050])('a kind %i that has expired is not answered any more', async (kind) => {
  const open = async () => ({ ok: false, code: 'kind' }) as const
  const take = createIntake({ identity: bot, open, clock: systemClock })
  const content = kind === 4 ? encryptNip04(customer, bot.pubkey, 'hello') : 'hello'
  const expiring = (at: number) => [
    ['p', bot.pubkey],
    ['expiration', `${at}`],
  ]
  const sent = (at: number) =>
    take(customer.sign({ kind, created_at: now, content, tags: expiring(at) }), 'ws://relay')
  expect(await sent(now - 1)).toEqual({ kind: 'dropped', why: 'expired' })
  expect((await sent(now + 600)).kind).toMatch(/letter|request/)
})
