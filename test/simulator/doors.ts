import { createCipheriv } from 'node:crypto'
import type { Clock } from '../../src/clock.ts'
import { createIntake, type Taken } from '../../src/journey/intake.ts'
import type { Identity, NostrEvent } from '../../src/nostr/types.ts'
import type { Message } from './relays.ts'

const KEY = Buffer.alloc(32, 4)

/**
 * The bot's key, without its mathematics: wraps are opened and events verified elsewhere, with tests of their own,
 * and would cost a world more than all else in it.
 */
const identity: Identity = {
  curve: {
    name: 'wasm',
    verify: () => true,
    keypair: () => {
      throw new Error('no keys are made in a simulated world')
    },
  },
  pubkey: 'b07'.padEnd(64, '0'),
  sign: (template) => ({ ...template, id: '', pubkey: identity.pubkey, sig: '' }),
  conversationKey: () => KEY,
  sharedX: () => KEY,
}

const WRAP = 1059
const tags = [['p', identity.pubkey]]

/** A message as the relay hands it on, by its door. */
export function eventOf({ id, customer, text, via, at }: Message): NostrEvent {
  const frame = { id, pubkey: customer, created_at: at, sig: '' }
  switch (via) {
    case 'nip17':
      return { ...frame, kind: WRAP, tags, content: text }
    case 'nip04':
      return { ...frame, kind: 4, tags, content: sealed(id, text) }
    case 'nip90':
      return { ...frame, kind: 5050, tags: [...tags, ['i', text, 'text']], content: '' }
  }
}

/** As NIP-04 seals it, with an initialisation vector that is no chance. */
function sealed(id: string, text: string): string {
  const iv = Buffer.from(id.slice(0, 32), 'hex')
  const cipher = createCipheriv('aes-256-cbc', KEY, iv)
  const bytes = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
  return `${bytes.toString('base64')}?iv=${iv.toString('base64')}`
}

/** The real intake, from a wrap that is open. */
export function intakeOf(clock: Clock): (event: NostrEvent, relay: string) => Promise<Taken> {
  return createIntake({
    identity,
    clock,
    open: async ({ id, pubkey, created_at, content }) => ({
      ok: true,
      sender: pubkey,
      seal: '{}',
      rumor: { id, pubkey, created_at, kind: 14, tags, content },
    }),
  })
}
