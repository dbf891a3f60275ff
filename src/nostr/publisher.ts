import type { Clock } from '../clock.ts'
import { ADHOC_CONNECTIONS } from '../limits.ts'
import type { Log } from '../log.ts'
import type { PublishOutcome, Relay } from './relay.ts'
import { normaliseRelayUrl } from './relay-url.ts'

/** Sends events to any relay: the operator's over their standing connections, others as needed. */
export interface Publisher {
  /**
   * Sends one event, as it is, to each URL at once and waits for every answer at most `timeoutMs`.
   * The Map has the URLs as they were given. Never rejects.
   */
  publish(
    event: { id: string; json: string },
    urls: readonly string[],
    timeoutMs: number,
  ): Promise<Map<string, PublishOutcome>>
  status(): { adhoc: number; busy: number; refusedForWantOfRoom: number }
  /** Ends the connections it made; the operator's are not its own. Idempotent. */
  stop(): Promise<void>
}

export interface PublisherOptions {
  own: readonly Relay[]
  /** Connects to a stranger's relay; guarding the address is its part. */
  connect(url: string): Relay
  clock: Clock
  log: Log
  /** Most connections made as needed, at once. */
  maxAdhoc?: number
  /** How long such a connection is kept after its last use. */
  idleMs?: number
}

interface Adhoc {
  relay: Relay
  inUse: number
  usedAt: number
}

const IDLE_MS = 60_000

export function createPublisher(options: PublisherOptions): Publisher {
  const { clock, log, connect, maxAdhoc = ADHOC_CONNECTIONS, idleMs = IDLE_MS } = options
  const own = new Map(options.own.map((relay) => [relay.url, relay]))
  const adhoc = new Map<string, Adhoc>()
  const closing = new Set<Promise<void>>()
  const stopping = new AbortController()
  let refusedForWantOfRoom = 0
  let sweeping: Promise<void> | undefined

  const close = (url: string, { relay }: Adhoc): void => {
    adhoc.delete(url)
    const closed = relay.stop().finally(() => closing.delete(closed))
    closing.add(closed)
  }

  /** Ends connections nobody used for `idleMs`, as long as there are any. */
  async function sweep(): Promise<void> {
    while (adhoc.size > 0 && !stopping.signal.aborted) {
      await clock.sleep(idleMs / 4, stopping.signal)
      for (const [url, entry] of [...adhoc]) {
        if (entry.inUse === 0 && clock.now() - entry.usedAt >= idleMs) close(url, entry)
      }
    }
    sweeping = undefined
  }

  /** Makes room by ending an idle connection: a dead one if there is one, else the longest unused. */
  function makeRoom(): boolean {
    if (adhoc.size < maxAdhoc) return true
    const idle = [...adhoc].filter(([, entry]) => entry.inUse === 0)
    const dead = idle.find(([, { relay }]) => relay.state() !== 'open')
    const [url, entry] = dead ?? idle[0] ?? []
    if (url === undefined || entry === undefined) return false
    close(url, entry)
    return true
  }

  function lend(url: string): Adhoc | undefined {
    const known = adhoc.get(url)
    if (known === undefined && (stopping.signal.aborted || !makeRoom())) return undefined
    const entry = known ?? { relay: connect(url), inUse: 0, usedAt: 0 }
    // Put again at the end, so that the first idle entry is the longest unused.
    adhoc.delete(url)
    adhoc.set(url, entry)
    sweeping ??= sweep()
    return entry
  }

  async function publishTo(
    url: string,
    event: { id: string; json: string },
    timeoutMs: number,
  ): Promise<PublishOutcome> {
    const spelled = normaliseRelayUrl(url) ?? url
    const standing = own.get(spelled)
    if (standing !== undefined) return standing.publish(event, timeoutMs)
    const entry = lend(spelled)
    if (entry === undefined) {
      refusedForWantOfRoom += 1
      log.debug({ relay: spelled }, 'no connection to spare')
      return { outcome: 'unreachable', message: 'no connection to spare' }
    }
    entry.inUse += 1
    const outcome = await entry.relay.publish(event, timeoutMs)
    entry.inUse -= 1
    entry.usedAt = clock.now()
    return outcome
  }

  return {
    async publish(event, urls, timeoutMs) {
      const asked = [...new Set(urls)]
      const outcomes = await Promise.all(
        asked.map(async (url) => [url, await publishTo(url, event, timeoutMs)] as const),
      )
      return new Map(outcomes)
    },
    status: () => ({
      adhoc: adhoc.size,
      busy: [...adhoc.values()].filter((entry) => entry.inUse > 0).length,
      refusedForWantOfRoom,
    }),
    async stop() {
      stopping.abort()
      for (const [url, entry] of [...adhoc]) close(url, entry)
      await Promise.all([...closing, sweeping])
    },
  }
}
