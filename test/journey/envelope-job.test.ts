import { expect, test } from 'vitest'
import { wantedRelays } from '../../src/journey/envelope-job.ts'
import { encryptNip04 } from '../../src/nostr/nip04.ts'
import { encrypt } from '../../src/nostr/nip44.ts'
import { newIdentity, signed } from '../support/relay-lab.ts'

const bot = newIdentity()
const customer = newIdentity()
const RELAYS = ['wss://one.example', 'wss://two.example']
const inside = JSON.stringify([
  ['i', 'count', 'text'],
  ['relays', ...RELAYS],
])

const hidden = {
  'NIP-04': encryptNip04(customer, bot.pubkey, inside),
  'NIP-44': encrypt(inside, customer.conversationKey(bot.pubkey)),
}

test.each(Object.entries(hidden))('relays wished for inside %s are found', (_scheme, content) => {
  const tags = [['p', bot.pubkey], ['encrypted']]
  expect(wantedRelays(signed(customer, { kind: 5050, tags, content }), bot)).toEqual(RELAYS)
})

test('relays wished for in clear are found, and what is no relay is not', () => {
  const tags = [
    ['p', bot.pubkey],
    ['relays', ...RELAYS, 'https://one.example', 'nonsense'],
  ]
  expect(wantedRelays(signed(customer, { kind: 5050, tags }), bot)).toEqual(RELAYS)
})

test('a request that cannot be opened wishes what its clear tags say', () => {
  const tags = [['p', bot.pubkey], ['encrypted'], ['relays', ...RELAYS]]
  const event = signed(customer, { kind: 5050, tags, content: 'not for us' })
  expect(wantedRelays(event, bot)).toEqual(RELAYS)
})
