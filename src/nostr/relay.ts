import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import { createDeadlines, type Deadlines } from './deadlines.ts'
import { fetchRelayInfo, type RelayInfo } from './nip11.ts'
import { noCounts, type RelayCounters } from './relay-counters.ts'
import type { EoseHint } from './relay-frames.ts'
import { createMeter, type Meter } from './relay-meter.ts'
import { createPublishes, type Publishes } from './relay-publishes.ts'
import { openSession, type Session } from './relay-session.ts'
import { createSubscriptions, type Subscriptions } from './relay-subscriptions.ts'
import { checkRelayUrl, normaliseRelayUrl } from './relay-url.ts'
import type { Filter, Identity, NostrEvent } from './types.ts'

/**
 * One relay, kept connected until `stop`. `connecting` → `open` → `waiting` (the pause before the next
 * attempt) → `connecting` …, and `stopped` from anywhere, for good.
 */
export interface Relay {
  /** Normalised, without user and password; what `Publisher` and logs know it by. */
  readonly url: string
  state(): RelayState
  /** When the last pong came, ms; undefined while not open. */
  lastPongAt(): number | undefined
  /** What a relay of the operator says of itself (NIP-11), once it was fetched and if there was any. */
  info(): RelayInfo | undefined
  readonly counters: Readonly<RelayCounters>
  /**
   * Asks now, and again on every new connection and after AUTH, until `close` or the relay's CLOSED.
   * Filters are copied. May be called in any state.
   */
  subscribe(subscribe: Subscribe): Subscription
  /**
   * Sends one event and waits for its OK at most `timeoutMs`. Sent again as it is after a reconnect
   * or an AUTH within that time. The same id twice at once is sent once and answered to both. Never rejects.
   */
  publish(
    event: NostrEvent | { id: string; json: string },
    timeoutMs: number,
  ): Promise<PublishOutcome>
  /**
   * Calls `fn` whenever what was asked before has to be asked anew: `opened` on each connection,
   * `authenticated` when an AUTH was settled and the relay may show more than before.
   */
  onOpen(fn: (why: OpenReason) => void): () => void
  onState(fn: (state: RelayState) => void): () => void
  /** Stops and resumes reading, so that a relay we cannot keep up with waits instead of filling memory. */
  pause(): void
  resume(): void
  /** Ends every subscription, publish and attempt. Resolves when the socket is gone. Idempotent. */
  stop(): Promise<void>
}

export type OpenReason = 'opened' | 'authenticated'

export type RelayState = 'connecting' | 'open' | 'waiting' | 'stopped'

export interface Subscribe {
  filters: Filter[]
  /** An event that matches the filters and is verified. */
  onEvent(event: NostrEvent): void
  /** The relay's own EOSE, never a time-out's. Comes again after a new connection. */
  onEose?(hint: EoseHint | undefined): void
  /** The relay ended it, and AUTH did not help where that was asked for. A lost connection is no CLOSED. */
  onClosed?(prefix: string, message: string): void
  /** Whether this very id and signature were verified before; such an event goes to `onKnown` unverified. */
  known?(id: string, sig: string): boolean
  onKnown?(event: NostrEvent): void
}

export interface Subscription {
  readonly id: string
  close(): void
}

export interface PublishOutcome {
  /** `timeout`: sent, no answer, whatever became of the connection. `unreachable`: never sent. */
  outcome: 'acknowledged' | 'refused' | 'timeout' | 'unreachable'
  /** The word before the colon in the relay's answer (NIP-01, NIP-42), empty when it gave none. */
  prefix?: string
  message?: string
}

export interface RelayOptions {
  url: string
  /** Answers AUTH (NIP-42); without it AUTH is ignored. */
  identity?: Identity
  clock: Clock
  log: Log
  verify(event: NostrEvent): boolean
  /** The URL came from a stranger: `wss:` and public addresses only. */
  guard?: boolean
  handshakeMs?: number
  pingMs?: number
  pongMs?: number
  /** How long an AUTH answer may take, and a challenge after `auth-required:`. */
  authMs?: number
  /** The pause before the n-th attempt is random below `firstMs` × 2^n, at most `mostMs` (full jitter). */
  backoff?: { firstMs: number; mostMs: number }
  /** The pause after the relay used up its budget. */
  penaltyMs?: number
  random?: () => number
}

const HANDSHAKE_MS = 5_000
const PING_MS = 25_000
const PONG_MS = 10_000
/** Some relays never answer a good AUTH, and the first REQs wait for it. */
const AUTH_MS = 3_000
/** Starts below a second, so that a relay which restarts is found again within one. */
const BACKOFF = { firstMs: 250, mostMs: 300_000 }
/** A connection of this length clears the record of failed ones. */
const STABLE_MS = 30_000
/** A relay that answers but drops us is tried again within 4 s: it is of use while it lasts. */
const USEFUL_FAILURES = 5
/** Long enough to lose the flood that waits at the relay, short enough to be back within ten seconds. */
const PENALTY_MS = 5_000
const INFO_AGE_MS = 86_400_000

/** Begins to connect at once and for ever. Never throws; a URL the guard refuses is a stopped relay. */
export function connectRelay(options: RelayOptions): Relay {
  const machine = createMachine(options)
  const { clock, counters, publishes, deadlines } = machine
  const refused = options.guard === true && !checkRelayUrl(options.url, { allow: [] }).ok
  const running = refused ? Promise.resolve() : keepConnected(machine, options)
  if (refused) machine.enter('stopped')

  return {
    url: machine.url,
    state: () => machine.state,
    lastPongAt: () => (machine.state === 'open' ? machine.session?.link.lastPongAt() : undefined),
    info: () => machine.info,
    counters,
    subscribe: machine.subscriptions.add,
    publish(event, timeoutMs) {
      const late = machine.state === 'waiting' && machine.retryAt - clock.now() > timeoutMs
      if (machine.state === 'stopped' || late) {
        counters.unreachable += 1
        return Promise.resolve({ outcome: 'unreachable', message: machine.state })
      }
      const json = 'json' in event ? event.json : JSON.stringify(event)
      return publishes.add(event.id, json, timeoutMs)
    },
    onOpen: (fn) => listen(machine.openListeners, fn),
    onState: (fn) => listen(machine.stateListeners, fn),
    pause() {
      machine.paused = true
      machine.session?.link.pause()
    },
    resume() {
      machine.paused = false
      machine.session?.link.resume()
    },
    async stop() {
      machine.stopping.abort()
      publishes.unreachable('stopped')
      deadlines.stop()
      machine.session?.link.close()
      await running
      machine.enter('stopped')
    },
  }
}

interface Machine {
  readonly url: string
  readonly clock: Clock
  readonly counters: RelayCounters
  readonly stopping: AbortController
  readonly deadlines: Deadlines
  readonly meter: Meter
  readonly subscriptions: Subscriptions
  readonly publishes: Publishes
  readonly openListeners: Set<(why: OpenReason) => void>
  readonly stateListeners: Set<(state: RelayState) => void>
  readonly state: RelayState
  /** The only way to change `state`. */
  enter(next: RelayState): void
  tell(why: OpenReason): void
  session: Session | undefined
  info: RelayInfo | undefined
  infoAt: number
  retryAt: number
  paused: boolean
}

function createMachine(options: RelayOptions): Machine {
  const { clock, verify } = options
  const counters = noCounts()
  const meter = createMeter(clock)
  const deadlines = createDeadlines(clock)
  const openListeners = new Set<(why: OpenReason) => void>()
  const stateListeners = new Set<(state: RelayState) => void>()
  let state: RelayState = 'connecting'
  return {
    url: normaliseRelayUrl(options.url) ?? options.url,
    clock,
    counters,
    meter,
    deadlines,
    openListeners,
    stateListeners,
    stopping: new AbortController(),
    subscriptions: createSubscriptions({ counters, verify, meter }),
    publishes: createPublishes({ counters, deadlines, meter }),
    get state() {
      return state
    },
    enter(next) {
      if (state === next || state === 'stopped') return
      state = next
      for (const fn of [...stateListeners]) fn(next)
    },
    tell(why) {
      for (const fn of [...openListeners]) fn(why)
    },
    session: undefined,
    info: undefined,
    infoAt: Number.NEGATIVE_INFINITY,
    retryAt: 0,
    paused: false,
  }
}

async function keepConnected(machine: Machine, options: RelayOptions): Promise<void> {
  const { clock, log, penaltyMs = PENALTY_MS } = options
  const { stopping, counters, url } = machine
  let failures = 0
  while (!stopping.signal.aborted) {
    machine.enter('connecting')
    const session = open(machine, options)
    machine.session = session
    const opened = await session.link.opened
    if (opened && !stopping.signal.aborted) {
      const openedAt = clock.now()
      begin(machine, session, options)
      await session.link.closed
      counters.drops += 1
      failures = failuresAfter(failures, clock.now() - openedAt, session.useful())
    } else failures += 1
    const reason = await session.link.closed
    session.end()
    if (!opened) machine.publishes.unreachable(reason)
    if (stopping.signal.aborted) return
    const pauseMs = session.tripped() ? penaltyMs : backoffMs(failures, options)
    log.debug({ relay: url, opened, reason, pauseMs: Math.round(pauseMs) }, 'relay is away')
    machine.retryAt = clock.now() + pauseMs
    machine.enter('waiting')
    await clock.sleep(pauseMs, stopping.signal)
  }
}

function open(machine: Machine, options: RelayOptions): Session {
  const { clock, log, identity, guard = false } = options
  return openSession({
    clock,
    log,
    identity,
    guard,
    machine,
    // NIP-42 wants the URL that was dialled; one with a password is not for telling.
    dialled: options.url.includes('@') ? machine.url : options.url,
    address: options.url,
    handshakeMs: options.handshakeMs ?? HANDSHAKE_MS,
    pingMs: options.pingMs ?? PING_MS,
    pongMs: options.pongMs ?? PONG_MS,
    authMs: options.authMs ?? AUTH_MS,
    onAuthenticated: () => machine.tell('authenticated'),
  })
}

function begin(machine: Machine, session: Session, options: RelayOptions): void {
  const { clock, guard = false } = options
  machine.counters.opens += 1
  if (machine.paused) session.link.pause()
  session.begin()
  machine.enter('open')
  machine.tell('opened')
  if (guard || clock.now() - machine.infoAt < INFO_AGE_MS) return
  machine.infoAt = clock.now()
  void fetchRelayInfo(options.url, { signal: machine.stopping.signal }).then((info) => {
    machine.info = info ?? machine.info
  })
}

function failuresAfter(failures: number, openMs: number, useful: boolean): number {
  if (openMs >= STABLE_MS) return 0
  return useful ? Math.min(failures + 1, USEFUL_FAILURES) : failures + 1
}

function backoffMs(failures: number, options: RelayOptions): number {
  const { backoff = BACKOFF, random = Math.random } = options
  const exponent = Math.min(30, Math.max(0, failures - 1))
  return random() * Math.min(backoff.mostMs, backoff.firstMs * 2 ** exponent)
}

function listen<T>(listeners: Set<(value: T) => void>, fn: (value: T) => void): () => void {
  // A fresh entry, so that the same function given twice is two listeners.
  const entry = (value: T) => fn(value)
  listeners.add(entry)
  return () => listeners.delete(entry)
}
