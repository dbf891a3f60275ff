import type { Clock } from '../clock.ts'
import { ADHOC_CONNECTIONS, OWED_BY_ANSWERING, OWED_BY_SILENT } from '../limits.ts'
import type { Log } from '../log.ts'
import type { PublishOutcome, Relay } from './relay.ts'
import { normaliseRelayUrl } from './relay-url.ts'

/** Sends events to any relay: the operator's over their standing connections, others as needed. */
export interface Publisher {
  /**
   * Sends one event, as it is, to each URL at once and waits for every answer at most `timeoutMs`, and for the others
   * not much longer once one relay has it: a list that names a dead relay beside a good one is common. The Map has the
   * URLs as they were given. Never rejects.
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
  answeredAt: number
}

const IDLE_MS = 60_000
/** How long the other relays have once one has taken the event. */
const OTHERS_MS = 1_000
/** How long a relay counts as one that answers. */
const ANSWERS_MS = 30_000

/** Events whose answer a stranger's relay may owe: one that says nothing must not keep every reply waiting for it. */
function owedMax({ answeredAt }: Adhoc, nowMs: number): number {
  return nowMs - answeredAt < ANSWERS_MS ? OWED_BY_ANSWERING : OWED_BY_SILENT
}

/** The answers of all, or what there is of them a moment after one has taken the event. */
async function askAll(
  urls: readonly string[],
  ask: (url: string) => Promise<PublishOutcome>,
  clock: Clock,
): Promise<Map<string, PublishOutcome>> {
  const outcomes = new Map<string, PublishOutcome>()
  for (const url of urls) outcomes.set(url, { outcome: 'timeout' })
  const taken = Promise.withResolvers<void>()
  const answers = [...outcomes.keys()].map(async (url) => {
    const answer = await ask(url)
    outcomes.set(url, answer)
    if (answer.outcome === 'acknowledged') taken.resolve()
  })
  const over = new AbortController()
  const late = taken.promise.then(() => clock.sleep(OTHERS_MS, over.signal))
  await Promise.race([Promise.all(answers), late])
  over.abort()
  // What is answered later changes nothing that was handed out.
  return new Map(outcomes)
}

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
    const never = Number.NEGATIVE_INFINITY
    const entry = known ?? { relay: connect(url), inUse: 0, usedAt: 0, answeredAt: never }
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
    if (entry.inUse >= owedMax(entry, clock.now())) {
      log.debug({ relay: spelled }, 'it owes answers')
      return { outcome: 'unreachable', message: 'it owes answers' }
    }
    entry.inUse += 1
    const answer = await entry.relay.publish(event, timeoutMs)
    entry.inUse -= 1
    entry.usedAt = clock.now()
    const { outcome } = answer
    if (outcome === 'acknowledged' || outcome === 'refused') entry.answeredAt = entry.usedAt
    return answer
  }

  return {
    publish: (event, urls, timeoutMs) =>
      askAll(urls, (url) => publishTo(url, event, timeoutMs), clock),
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
