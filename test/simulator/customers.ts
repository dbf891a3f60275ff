import type { Chance } from './chance.ts'
import type { Heard, Message } from './relays.ts'
import { CANARY } from './watched-log.ts'
import type { World } from './world.ts'

export interface Customer {
  pubkey: string
  /** Writes a text; answers its id. */
  writes(text: string, options?: { via?: Message['via']; ageSeconds?: number }): string
  /** A request for work of so many characters, as a program or as a person writes it. */
  asksFor(chars: number, options?: { model?: string; via?: Message['via'] }): string
  /** What it has read, in order. */
  heard: Heard[]
  /** The last reply of a type. */
  last(type: string): Heard | undefined
  /** Pays the last invoice it was shown. */
  pays(): boolean
}

/** Everybody who writes to the bot of one world. */
export interface Customers {
  add(): Customer
  all: readonly Customer[]
  messages: readonly Message[]
}

export function createCustomers(world: World): Customers {
  const chance = world.chance('customers')
  const all: Customer[] = []
  const messages: Message[] = []
  world.onHeard((reply) => {
    all.find(({ pubkey }) => pubkey === reply.customer)?.heard.push(reply)
  })

  return {
    all,
    messages,
    add() {
      const customer = createCustomer(world, chance, messages)
      all.push(customer)
      return customer
    },
  }
}

function createCustomer(world: World, chance: Chance, messages: Message[]): Customer {
  const pubkey = chance.hex()
  const customer: Customer = {
    pubkey,
    heard: [],
    last: (type) => customer.heard.findLast(({ reply }) => reply.type === type),
    writes(text, { via = 'nip17', ageSeconds = 0 } = {}) {
      const at = Math.floor(world.time.now() / 1000) - ageSeconds
      const message = { id: chance.hex(), customer: pubkey, text, via, at }
      messages.push(message)
      world.feed.write(message)
      return message.id
    },
    asksFor(chars, { model, via = 'nip17' } = {}) {
      const request = requestOf(chars, messages.length)
      if (via === 'nip90' || (chance.happens(0.3) && model === undefined)) {
        return customer.writes(request, { via })
      }
      const json = { type: 'job', id: `p${messages.length}`, request, ...(model ? { model } : {}) }
      return customer.writes(JSON.stringify(json), { via })
    },
    pays() {
      const bolt11 = customer.last('invoice')?.reply.bolt11
      return typeof bolt11 === 'string' && world.incoming.pay(bolt11)
    },
  }
  return customer
}

/** No two requests are alike, or they would be twins. */
const requestOf = (chars: number, number: number): string =>
  `${CANARY} ${number} `.padEnd(Math.max(chars, 12), 'x')
