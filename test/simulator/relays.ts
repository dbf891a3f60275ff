import type { OutboxRow } from '../../src/store/outbox.ts'
import type { SignedReply } from '../../src/journey/signed.ts'
import type { PublishOutcome } from '../../src/nostr/relay.ts'
import type { Chance } from './chance.ts'
import type { Running, VirtualTime } from './time.ts'
import type { Trace } from './trace.ts'

/** How badly relays take what is published, each a part of all cases from 0 to 1. */
export interface RelayDials {
  /** The event is stored, and the word that it was never comes. */
  ackLost: number
  refused: number
  /** Refused for good. */
  blocked: number
  unreachable: number
  slow: number
  /** The customer's relays cannot be looked up. */
  noList: number
}

/** A reply as its customer reads it. */
export interface Heard {
  eventId: string
  rowId: number
  customer: string
  jobId: number | null
  step: string
  rumorId: string | null
  reply: Record<string, unknown> & { type: string }
}

export interface OutgoingRelays {
  sign(owner: Running, row: OutboxRow): Promise<SignedReply>
  signAtOnce(row: OutboxRow): SignedReply | undefined
  publish(
    owner: Running,
    event: { id: string; json: string },
    relays: readonly string[],
  ): Promise<Map<string, PublishOutcome>>
  /** Every event that a relay has, in the order in which it got them; an event counts once. */
  stored(): readonly Heard[]
}

export interface RelayParts {
  time: VirtualTime
  chance: Chance
  trace: Trace
  dials: RelayDials
  /** A customer reads an event for the first time. */
  heard(reply: Heard): void
}

export const RELAYS = ['wss://one.test', 'wss://two.test'] as const

/** How long the program waits for a relay's word. */
const PUBLISH_MS = 10_000

/** Relays that replies go to. A reply signed twice is two events, as it is with real wraps. */
export function createRelays(parts: RelayParts): OutgoingRelays {
  const { time, chance, trace, dials } = parts
  const stored = new Map<string, Heard>()

  return {
    stored: () => [...stored.values()],
    sign: (owner, row) =>
      new Promise((resolve, reject) => {
        if (owner.state === 'dead') return
        if (chance.happens(dials.noList)) return reject(new Error('no relay list'))
        resolve(signed(row))
      }),
    // Half of the lists are known already.
    signAtOnce: (row) => (chance.happens(0.5) ? signed(row) : undefined),
    publish: (owner, event, relays) =>
      new Promise((resolve) => {
        if (owner.state === 'dead') return
        const outcomes = relays.map((relay) => [relay, publishTo(event)] as const)
        const waitMs = Math.max(0, ...outcomes.map(([, { ms }]) => ms))
        const words = outcomes.map(([, { outcome }]) => outcome.outcome).join(' ')
        trace.note(`${owner.name} publish ${event.id.slice(0, 8)} ${words}`)
        time.after(waitMs, owner, () => {
          resolve(new Map(outcomes.map(([relay, { outcome }]) => [relay, outcome])))
        })
      }),
  }

  function signed(row: OutboxRow): SignedReply {
    const { id: rowId, customer, jobId, step, rumorId, reply } = row
    const id = chance.hex()
    const json = JSON.stringify({ eventId: id, rowId, customer, jobId, step, rumorId, reply })
    return { events: [{ id, json }], relays: [...RELAYS] }
  }

  function publishTo(event: { id: string; json: string }): { ms: number; outcome: PublishOutcome } {
    const ms = chance.happens(dials.slow) ? chance.between(500, 9_000) : chance.between(5, 60)
    if (chance.happens(dials.unreachable)) return { ms, outcome: { outcome: 'unreachable' } }
    if (chance.happens(dials.blocked)) {
      return { ms, outcome: { outcome: 'refused', prefix: 'blocked', message: 'no' } }
    }
    if (chance.happens(dials.refused)) {
      return { ms, outcome: { outcome: 'refused', prefix: 'rate-limited', message: 'later' } }
    }
    time.after(ms / 2, undefined, () => store(event))
    if (chance.happens(dials.ackLost)) return { ms: PUBLISH_MS, outcome: { outcome: 'timeout' } }
    return { ms, outcome: { outcome: 'acknowledged' } }
  }

  function store({ id, json }: { id: string; json: string }): void {
    if (stored.has(id)) return
    const heard: Heard = JSON.parse(json)
    stored.set(id, heard)
    trace.note(`reply ${heard.jobId ?? '-'} ${heard.step} ${heard.reply.type}`)
    time.after(chance.between(1, 50), undefined, () => parts.heard(heard))
  }
}

/** How badly relays hand on what customers ask. */
export interface FeedDials {
  /** A copy comes a second time, by another relay. */
  doubled: number
  /** It comes late, so that later ones come before it. */
  late: number
  /** It is not handed on until somebody asks for what is stored. */
  withheld: number
}

export interface Message {
  id: string
  customer: string
  text: string
  via: 'nip17' | 'nip04' | 'nip90'
  /** Unix seconds, as its author's clock had it. */
  at: number
}

/** What a process does with a message: whether it is done with; rejects when it could not be stored. */
export type Receive = (message: Message, relay: string) => Promise<boolean>

export interface Feed {
  /** A process listens from now on, and gets all that is stored. */
  connect(owner: Running, receive: Receive): void
  /** A customer writes. */
  write(message: Message): void
  /** Hands on what nobody has taken in yet, or all that is stored, as a new subscription does. */
  again(what: 'missing' | 'everything'): void
}

/** Relays that requests come by: they keep everything, and hand it on as they please. */
export function createFeed({
  time,
  chance,
  trace,
  dials,
}: Pick<RelayParts, 'time' | 'chance' | 'trace'> & { dials: FeedDials }): Feed {
  const kept: Message[] = []
  const taken = new Set<string>()
  const listeners: { owner: Running; receive: Receive }[] = []

  return {
    connect(owner, receive) {
      const listener = { owner, receive }
      listeners.push(listener)
      for (const message of kept) handOn(listener, message, chance.between(1, 400))
    },
    write(message) {
      kept.push(message)
      const { customer, via, text } = message
      trace.note(`write ${customer.slice(0, 4)} ${via} ${text.slice(0, 40)}`)
      for (const listener of alive()) {
        if (chance.happens(dials.withheld)) continue
        const ms = chance.happens(dials.late) ? chance.between(500, 30_000) : chance.between(5, 80)
        handOn(listener, message, ms)
        if (chance.happens(dials.doubled)) handOn(listener, message, chance.between(5, 10_000))
      }
    },
    again(what) {
      const messages = what === 'everything' ? kept : kept.filter(({ id }) => !taken.has(id))
      for (const listener of alive()) {
        for (const message of messages) handOn(listener, message, chance.between(1, 400))
      }
    },
  }

  function alive() {
    return listeners.filter(({ owner }) => owner.state !== 'dead')
  }

  function handOn(listener: { owner: Running; receive: Receive }, message: Message, ms: number) {
    time.after(ms, listener.owner, () => {
      listener.receive(message, chance.pick(RELAYS)).then(
        (isDone) => isDone && taken.add(message.id),
        (error: unknown) => {
          trace.note(`${listener.owner.name} could not take a message: ${String(error)}`)
          handOn(listener, message, chance.between(500, 5_000))
        },
      )
    })
  }
}
