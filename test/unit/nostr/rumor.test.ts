import { expect, test } from 'vitest'
import { makeRumor, readRumor } from '../../../src/nostr/giftwrap.ts'
import { mutantRumor } from '../../support/mutants.ts'
import { newIdentity } from '../../support/relay-lab.ts'
import { SWEEP_MS, seeded, sweepRounds } from '../../support/seeded.ts'

const NOW = 1_700_000_000
const sender = newIdentity().pubkey
const tags = [
  ['p', newIdentity().pubkey],
  ['e', '0'.repeat(64), 'wss://relay.example'],
  ['subject', 'é "x"'],
]
const rumor = makeRumor(sender, {
  kind: 14,
  created_at: NOW,
  tags,
  content: 'What is\n"a" satoshi?',
})
const json = JSON.stringify(rumor)

test('the rumor itself is read as it is', () => {
  expect(readRumor(json, sender, NOW)).toEqual(rumor)
})

const random = seeded()
const rounds = sweepRounds(20_000, 1_000_000)
test(`none of ${rounds} changed rumors is taken for its author's or throws, seed ${random.seed}`, {
  timeout: SWEEP_MS,
}, () => {
  const met = new Set<string>()
  for (let round = 0; round < rounds; round++) {
    const text = mutantRumor(json, random)
    const answer = readRumor(text, sender, NOW)
    if (!('ok' in answer)) expect.fail(`accepted: ${text}`)
    met.add(answer.code)
  }
  const wanted = [
    'poison',
    'rumor-shape',
    'impersonation',
    'signed-rumor',
    'rumor-ints',
    'rumor-id',
  ]
  expect([...met]).toEqual(expect.arrayContaining(wanted))
})
