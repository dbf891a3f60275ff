import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import { createDeadlines } from './deadlines.ts'
import { createRelayAuth, type RelayAuth } from './relay-auth.ts'
import type { RelayCounters } from './relay-counters.ts'
import { type RelayFrame, readRelayFrame } from './relay-frames.ts'
import { type Link, openLink } from './relay-link.ts'
import type { Meter } from './relay-meter.ts'
import type { Publishes } from './relay-publishes.ts'
import type { Subscriptions } from './relay-subscriptions.ts'
import type { Identity } from './types.ts'

/** One connection from dial to loss, with its AUTH. */
export interface Session {
  readonly link: Link
  /** The connection is open: asks the subscriptions and sends what waits. */
  begin(): void
  /** The connection is gone. */
  end(): void
  /** Whether the relay said anything of use on it. */
  useful(): boolean
  /** Whether it was cut because the relay used up its budget. */
  tripped(): boolean
}

/** What a frame costs of the relay's budget: one unit, and one for each 4 KiB, which is this power of two. */
const UNIT_BITS = 12

interface Parts {
  url: string
  counters: RelayCounters
  meter: Meter
  subscriptions: Subscriptions
  publishes: Publishes
}

export interface SessionOptions {
  clock: Clock
  log: Log
  identity: Identity | undefined
  guard: boolean
  /** Where to, as the operator wrote it. */
  address: string
  /** The same for NIP-42, without a password. */
  dialled: string
  handshakeMs: number
  pingMs: number
  pongMs: number
  authMs: number
  machine: Parts
  onAuthenticated(): void
}

export function openSession(options: SessionOptions): Session {
  const { clock, log, identity, machine } = options
  const { counters, meter, subscriptions, publishes, url } = machine
  const deadlines = createDeadlines(clock)
  let useful = false
  let tripped = false

  const trip = () => {
    if (tripped) return
    tripped = true
    counters.trips += 1
    log.warn({ relay: url, counters }, 'relay used up its budget and is cut off for a while')
    link.kill()
  }
  meter.attach({
    trip,
    useful() {
      useful = true
    },
  })
  const link = openLink({
    clock,
    guard: options.guard,
    url: options.address,
    handshakeMs: options.handshakeMs,
    pingMs: options.pingMs,
    pongMs: options.pongMs,
    onText(text) {
      // A cut socket may still hand over what it had read.
      if (tripped) return
      try {
        take(readRelayFrame(text), 1 + (text.length >> UNIT_BITS), auth, machine)
      } catch (error) {
        counters.faults += 1
        log.error({ relay: url, err: error }, 'a relay frame was not handled')
      }
    },
    onUnreadable(why, bytes) {
      counters[why === 'oversized' ? 'oversized' : 'broken'] += 1
      meter.spend(1 + (bytes >> UNIT_BITS))
    },
    onRoom() {
      subscriptions.room()
      publishes.room()
    },
  })
  const auth = createRelayAuth({
    identity,
    clock,
    deadlines,
    url: options.dialled,
    timeoutMs: options.authMs,
    send: link.send,
    onSettled(passed) {
      if (passed) options.onAuthenticated()
      else {
        counters.authFailures += 1
        log.warn({ relay: url }, 'relay refuses our AUTH')
      }
      subscriptions.settled(passed)
    },
  })

  return {
    link,
    begin() {
      const connection = { auth, send: link.send }
      subscriptions.opened(connection)
      publishes.opened(connection)
    },
    end() {
      deadlines.stop()
      subscriptions.lost()
      publishes.lost()
    },
    useful: () => useful,
    tripped: () => tripped,
  }
}

function take(frame: RelayFrame, units: number, auth: RelayAuth, parts: Parts): void {
  const { counters, meter, subscriptions, publishes } = parts
  if (frame.type !== 'EVENT') meter.spend(units)
  switch (frame.type) {
    case 'EVENT':
      subscriptions.onEvent(frame.id, frame.event, units)
      break
    case 'OK':
      if (!auth.answered(frame.id, frame.accepted)) publishes.onOk(frame)
      break
    case 'EOSE':
      subscriptions.onEose(frame.id, frame.hint)
      break
    case 'CLOSED':
      subscriptions.onClosed(frame.id, frame.prefix, frame.message)
      break
    case 'AUTH':
      counters.challenges += 1
      meter.challenge(frame.challenge)
      auth.challenged(frame.challenge)
      break
    case 'NOTICE':
      counters.notices += 1
      break
    case 'broken':
      counters.broken += 1
  }
}
