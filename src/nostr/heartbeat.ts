import { type Clock, unixSeconds } from '../clock.ts'
import type { Log } from '../log.ts'
import { makeRumor, wrapRumor } from './giftwrap.ts'
import type { Relay } from './relay.ts'
import type { Identity, NostrEvent } from './types.ts'

/** What one beat has shown. `unproven`: the relay took no message of ours, or was not live all along. */
export type Beat = 'heard' | 'missed' | 'unproven'

/**
 * Finds relays that take gift wraps for us and do not bring them: they answer everything else, so that nobody would
 * notice. The bot writes to itself by each relay, over the very subscription that customers are read from; a wrap
 * hides its author, so that a relay cannot let these alone pass.
 */
export interface Heartbeat {
  start(): void
  /** One beat on every relay. */
  runOnce(): Promise<void>
  /** An event for the bot came from this relay (URL). */
  arrived(id: string, relay: string): void
  /** Two messages in a row that this relay took did not come back, and none has since. */
  withholds(relay: string): boolean
  counts(): Record<Beat, number>
  stop(): Promise<void>
}

export interface HeartbeatOptions {
  identity: Identity
  relays: readonly Relay[]
  /** Since when the subscription on this relay is live and read without delay, ms; undefined while it is not. */
  liveSince(relay: string): number | undefined
  clock: Clock
  log: Log
  everyMs?: number
  /** How long a relay may take to bring back what it took. */
  hearMs?: number
}

/** With one more try after a miss, whoever begins to withhold is known of within two minutes. */
const EVERY_MS = 60_000
const HEAR_MS = 20_000
/** A relay that honours NIP-40 is rid of the message within the hour. */
const KEPT_SECONDS = 3_600
/** Not a kind that a chat client shows to who reads along with the bot's key (NIP-78). */
const RUMOR_KIND = 78

export function createHeartbeat(options: HeartbeatOptions): Heartbeat {
  const { identity, relays, liveSince, clock, log } = options
  const { everyMs = EVERY_MS, hearMs = HEAR_MS } = options
  const ended = new AbortController()
  const awaited = new Map<string, { relay: string; heard(): void }>()
  const withholding = new Set<string>()
  const counts = { heard: 0, missed: 0, unproven: 0 }
  let loop: Promise<void> | undefined

  async function run(): Promise<void> {
    while (!ended.signal.aborted) {
      await clock.sleep(everyMs, ended.signal)
      if (!ended.signal.aborted) await runOnce()
    }
  }

  async function runOnce(): Promise<void> {
    await Promise.all(relays.map(judge))
  }

  async function judge(relay: Relay): Promise<void> {
    const { url } = relay
    let beat = await askOnce(relay)
    // One message may be lost without anybody's fault.
    if (beat === 'missed') beat = await askOnce(relay)
    const was = withholding.has(url)
    // A new connection is a new chance; what cannot be proven on a standing one changes nothing.
    if (beat === 'missed') withholding.add(url)
    else if (beat === 'heard' || liveSince(url) === undefined) withholding.delete(url)
    const is = withholding.has(url)
    if (is && !was) log.warn({ relay: url }, 'this relay takes messages for us and keeps them back')
    if (was && !is) log.info({ relay: url, beat }, 'this relay is no longer known to keep back')
  }

  async function askOnce(relay: Relay): Promise<Beat> {
    const beat = await ask(relay).catch((): Beat => 'unproven')
    counts[beat] += 1
    return beat
  }

  async function ask(relay: Relay): Promise<Beat> {
    const live = liveSince(relay.url)
    if (live === undefined || ended.signal.aborted) return 'unproven'
    const message = write(relay.url)
    const over = new AbortController()
    const { promise, resolve } = Promise.withResolvers<'heard'>()
    awaited.set(message.id, { relay: relay.url, heard: () => resolve('heard') })
    const stop = () => over.abort('stopped')
    ended.signal.addEventListener('abort', stop)
    try {
      const { outcome } = await relay.publish(message, hearMs)
      if (outcome !== 'acknowledged') return 'unproven'
      const silence = clock.sleep(hearMs, over.signal).then(() => 'missed' as const)
      const beat = await Promise.race([promise, silence])
      // Lost and found again in between, or not read: then its silence proves nothing.
      const same = liveSince(relay.url) === live && !ended.signal.aborted
      return beat === 'heard' || same ? beat : 'unproven'
    } finally {
      over.abort('answered')
      ended.signal.removeEventListener('abort', stop)
      awaited.delete(message.id)
    }
  }

  function write(relayHint: string): NostrEvent {
    const nowSeconds = unixSeconds(clock)
    const to = identity.pubkey
    const template = { kind: RUMOR_KIND, created_at: nowSeconds, tags: [['p', to]], content: '' }
    const expiration = nowSeconds + KEPT_SECONDS
    const rumor = makeRumor(to, template)
    return wrapRumor({ identity, rumor, to, nowSeconds, expiration, relayHint })
  }

  return {
    start() {
      loop ??= run()
    },
    runOnce,
    arrived(id, relay) {
      const beat = awaited.get(id)
      if (beat?.relay === relay) beat.heard()
    },
    withholds: (relay) => withholding.has(relay),
    counts: () => ({ ...counts }),
    async stop() {
      ended.abort()
      await loop
    },
  }
}
