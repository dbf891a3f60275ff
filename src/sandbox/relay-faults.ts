import type { NostrEvent } from '../nostr/types.ts'

/**
 * How the sandbox relay misbehaves. Every field may be changed while it runs and holds from the next
 * frame on. Shares are probabilities from 0 to 1, drawn from `random`, so that a seed repeats a run.
 */
export interface RelayFaults {
  random: () => number
  /** Share of EVENT frames to subscribers that are lost. */
  dropShare: number
  /** Each frame to a client waits this long at most, in order. */
  delayMsMax: number
  /** Extra copies of each EVENT frame. */
  duplicates: number
  /** Share of EVENT frames sent after the one that follows them. */
  reorderShare: number
  /** A copy with the true id and a broken signature goes before each event. */
  forgeFirst: boolean
  /** Share of EVENT frames accompanied by one that no filter asked for. */
  wrongFilterShare: number
  /** Stored events are kept back from subscribers and live ones are not passed on. */
  withhold: boolean
  eose: 'real' | 'never' | 'early'
  /** Whether EOSE says `finish` when that is so (NIP-67). */
  hints: boolean
  /** AUTH challenges sent with every frame. */
  authStorm: number
  /** How an AUTH answer is met. */
  authReply: 'real' | 'refuse' | 'none'
  /** The CLOSED message every REQ gets. */
  closed: string | undefined
  /** Sockets stay open and nothing is read, answered or sent, not even a pong. */
  halfOpen: boolean
  /** Size of a frame that goes before every EVENT, bytes; 0 for none. */
  oversizedBytes: number
  /** Share of frames to clients that are preceded by one that is not JSON. */
  invalidJsonShare: number
  /** `unstored`: OK true, and the event is forgotten. */
  ok: 'real' | 'refuse' | 'unstored' | 'none'
  /** What a refusing OK says. */
  okMessage: string
  /** Each connection is cut after a random time up to this; 0 for never. */
  disconnectMsMax: number
  /** Most stored events per filter whatever the limit asks for, without saying so; 0 for none. */
  silentCap: number
  /** `until` and `since` as some relays read them. */
  untilExclusive: boolean
  sinceExclusive: boolean
  /** Live events go to every subscription of the right kind, whatever its tags say. */
  leakLive: boolean
}

export function createRelayFaults(
  random: () => number,
  some: Partial<Omit<RelayFaults, 'random'>> = {},
): RelayFaults {
  return {
    random,
    dropShare: 0,
    delayMsMax: 0,
    duplicates: 0,
    reorderShare: 0,
    forgeFirst: false,
    wrongFilterShare: 0,
    withhold: false,
    eose: 'real',
    hints: true,
    authStorm: 0,
    authReply: 'real',
    closed: undefined,
    halfOpen: false,
    oversizedBytes: 0,
    invalidJsonShare: 0,
    ok: 'real',
    okMessage: 'error: no',
    disconnectMsMax: 0,
    silentCap: 0,
    untilExclusive: false,
    sinceExclusive: false,
    leakLive: false,
    ...some,
  }
}

/** The frames that go out for one event of a subscription, in order. */
export function eventFrames(
  faults: RelayFaults,
  sub: string,
  event: NostrEvent,
  json: string,
): string[] {
  const frame = (text: string) => `["EVENT",${JSON.stringify(sub)},${text}]`
  const happens = (share: number) => share > 0 && faults.random() < share
  const frames: string[] = []
  if (faults.oversizedBytes > 0) frames.push(frame(`"${'x'.repeat(faults.oversizedBytes)}"`))
  if (faults.forgeFirst) frames.push(frame(JSON.stringify(withBrokenSignature(event))))
  if (happens(faults.wrongFilterShare)) frames.push(frame(JSON.stringify(ofAnotherKind(event))))
  if (happens(faults.dropShare)) return frames
  for (let copy = 0; copy <= faults.duplicates; copy += 1) frames.push(frame(json))
  return frames
}

/** What a client gets before a frame of any type. */
export function noise(faults: RelayFaults): string[] {
  const frames: string[] = []
  for (let count = 0; count < faults.authStorm; count += 1) {
    frames.push(JSON.stringify(['AUTH', String(faults.random())]))
  }
  if (faults.invalidJsonShare > 0 && faults.random() < faults.invalidJsonShare) {
    frames.push('["EVENT",{"id":')
  }
  return frames
}

/** A copy that keeps id and content and whose signature is another one. */
export function withBrokenSignature(event: NostrEvent): NostrEvent {
  const first = event.sig.startsWith('0') ? '1' : '0'
  return { ...event, sig: first + event.sig.slice(1) }
}

const ofAnotherKind = (event: NostrEvent): NostrEvent => ({ ...event, kind: event.kind + 1 })
