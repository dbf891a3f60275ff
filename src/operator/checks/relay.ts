import { type Clock, unixSeconds } from '../../clock.ts'
import type { Log } from '../../log.ts'
import { verifyEvent } from '../../nostr/event.ts'
import { fetchEvents } from '../../nostr/fetch.ts'
import { GIFT_WRAP_KIND, makeRumor, wrapRumor } from '../../nostr/giftwrap.ts'
import { connectRelay, type Relay } from '../../nostr/relay.ts'
import type { Identity } from '../../nostr/types.ts'
import { hostOf } from '../screen.ts'
import { about, type Check } from './check.ts'

export interface RelayCheckOptions {
  url: string
  /** The bot's: relays ask for AUTH, and give DMs to their receiver alone. */
  identity: Identity
  clock: Clock
  log: Log
  /** Longest wait for each answer, milliseconds. */
  timeoutMs?: number
}

const TIMEOUT_MS = 8_000
/** The probe is of no use to anybody afterwards. */
const PROBE_LIFE_SECONDS = 120

/**
 * Sends the bot a DM through the relay and reads it back, which is what customers will do: connects, writes,
 * answers AUTH, reads. The bot itself drops what it sent to itself.
 */
export async function checkRelay(options: RelayCheckOptions): Promise<Check[]> {
  const { url, identity, clock, log } = options
  const { curve } = identity
  const began = clock.now()
  const relay = connectRelay({
    url,
    identity,
    clock,
    log,
    verify: (event) => verifyEvent(curve, event),
    handshakeMs: options.timeoutMs ?? TIMEOUT_MS,
  })
  try {
    return await probe(relay, began, options)
  } finally {
    await relay.stop()
  }
}

async function probe(
  relay: Relay,
  began: number,
  { url, identity, clock, timeoutMs = TIMEOUT_MS }: RelayCheckOptions,
): Promise<Check[]> {
  const { ok, warn, fail } = about(`relay ${hostOf(url)}`)
  if (!(await isOpened(relay, clock, timeoutMs))) {
    return [fail('cannot be reached', 'Check its address, or choose another relay.')]
  }
  const openMs = clock.now() - began
  const wrap = wrapToSelf(identity, clock)
  const sentAt = clock.now()
  const written = await relay.publish(wrap, timeoutMs)
  const writeMs = clock.now() - sentAt
  const auth = authText(relay)
  if (written.outcome !== 'acknowledged') {
    const why = written.message || written.prefix || 'without a reason'
    const said = written.outcome === 'refused' ? `refuses DMs (${why})` : 'does not answer a DM'
    return [fail(`connected in ${openMs} ms, ${said}${auth}`, DENIED)]
  }
  const askedAt = clock.now()
  const filter = { kinds: [GIFT_WRAP_KIND], '#p': [identity.pubkey], ids: [wrap.id] }
  const { events, answered } = await fetchEvents({
    relays: [relay],
    filters: [filter],
    clock,
    timeoutMs,
  })
  const readMs = clock.now() - askedAt
  if (events.length === 0) {
    const said = answered > 0 ? 'does not give it back' : 'does not answer when it is read'
    return [fail(`takes a DM in ${writeMs} ms and ${said}${authText(relay)}`, DENIED)]
  }
  const text = `connected in ${openMs} ms, wrote in ${writeMs} ms, read back in ${readMs} ms`
  if (relay.counters.authFailures > 0) {
    return [warn(`${text}, but AUTH failed`, 'DMs may be kept back later: see its operator.')]
  }
  return [ok(`${text}${authText(relay)}`)]
}

const DENIED = 'Ask its operator to let this key write and read, or choose another relay.'

const authText = ({ counters }: Relay): string =>
  counters.challenges === 0 ? '' : counters.authFailures > 0 ? ', AUTH failed' : ', with AUTH'

async function isOpened(relay: Relay, clock: Clock, timeoutMs: number): Promise<boolean> {
  const settled = new AbortController()
  const unlisten = relay.onState((state) => {
    // The second attempt would come after a pause: the first one says enough.
    if (state !== 'connecting') settled.abort()
  })
  if (relay.state() !== 'connecting') settled.abort()
  await clock.sleep(timeoutMs, settled.signal)
  unlisten()
  return relay.state() === 'open'
}

function wrapToSelf(identity: Identity, clock: Clock) {
  const nowSeconds = unixSeconds(clock)
  const rumor = makeRumor(identity.pubkey, {
    kind: 14,
    created_at: nowSeconds,
    tags: [['p', identity.pubkey]],
    content: 'tithe doctor',
  })
  const expiration = nowSeconds + PROBE_LIFE_SECONDS
  return wrapRumor({ identity, rumor, to: identity.pubkey, nowSeconds, expiration })
}
