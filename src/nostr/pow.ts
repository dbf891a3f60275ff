import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { Clock } from '../clock.ts'
import { POW_BITS, POW_MS } from '../limits.ts'
import { eventId, isHex32 } from './event.ts'
import { prepareWrap, type WrapRequest } from './giftwrap.ts'
import type { EventTemplate, NostrEvent } from './types.ts'

/** Leading zero bits of an event id (NIP-13 "difficulty"), 0 to 256; 0 for what is no id. */
export function leadingZeroBits(idHex: string): number {
  if (!isHex32(idHex)) return 0
  const firstSet = idHex.search(/[^0]/)
  if (firstSet === -1) return 256
  return firstSet * 4 + Math.clz32(Number.parseInt(idHex.charAt(firstSet), 16)) - 28
}

/**
 * The proof of work an event committed to and has: the target of its `nonce` tag when the id reaches
 * it, else 0 (NIP-13). Without the commitment a spammer aiming low would now and then pass a high bar
 * by luck. The id must be the event's own, which `verifyEvent` checks.
 */
export function committedPow(event: Pick<NostrEvent, 'id' | 'tags'>): number {
  const target = event.tags.find(([name]) => name === 'nonce')?.[2]
  if (target === undefined || !/^\d{1,3}$/.test(target)) return 0
  return leadingZeroBits(event.id) >= Number(target) ? Number(target) : 0
}

/**
 * A copy of the template whose `nonce` tag gives its id at least `bits` leading zero bits (NIP-13).
 * `created_at` stays as it is: for a wrap it was drawn, for a reply it orders the conversation. Mined
 * in a worker thread that is gone when this returns. Rejects with a RangeError for more than 20 bits,
 * with the signal's reason when it aborts, and with an Error after a minute without a hit.
 */
export async function minePow(
  event: EventTemplate & { pubkey: string },
  bits: number,
  signal: AbortSignal,
  clock: Clock,
): Promise<EventTemplate> {
  if (!Number.isInteger(bits) || bits < 0 || bits > POW_BITS) {
    throw new RangeError(`proof of work is done for 0 to ${POW_BITS} bits`)
  }
  signal.throwIfAborted()
  const { kind, created_at, content, pubkey } = event
  const kept = event.tags.filter(([name]) => name !== 'nonce')
  const withNonce = (nonce: string): EventTemplate => ({
    kind,
    created_at,
    tags: [...kept.map((tag) => [...tag]), ['nonce', nonce, String(bits)]],
    content,
  })
  const nonce = await searchNonce(withNonce, pubkey, bits, signal, clock)
  const mined = withNonce(nonce)
  if (leadingZeroBits(eventId({ pubkey, ...mined })) < bits) throw new Error('worker mined wrong')
  return mined
}

/** A gift wrap that carries proof of work. Rejects as `minePow`, and throws as `wrapRumor`. */
export async function wrapRumorMined(
  request: WrapRequest & { bits: number; signal: AbortSignal; clock: Clock },
): Promise<NostrEvent> {
  const { pubkey, template, sign } = prepareWrap(request)
  return sign(await minePow({ ...template, pubkey }, request.bits, request.signal, request.clock))
}

async function searchNonce(
  withNonce: (nonce: string) => EventTemplate,
  pubkey: string,
  bits: number,
  signal: AbortSignal,
  clock: Clock,
): Promise<string> {
  // The id's text around the nonce, which is the last tag: only digits change from try to try.
  const { created_at, kind, tags, content } = withNonce('')
  const tagText = JSON.stringify(tags)
  const tailTag = `","${bits}"]]`
  const before = `${JSON.stringify([0, pubkey, created_at, kind]).slice(0, -1)},${tagText.slice(0, -tailTag.length)}`
  const after = `${tailTag},${JSON.stringify(content)}]`
  const worker = new Worker(new URL(`./pow-worker${extname(import.meta.url)}`, import.meta.url), {
    workerData: { before, after, bits },
  })
  const ended = new AbortController()
  try {
    return await new Promise<string>((resolve, reject) => {
      worker.once('message', (nonce: unknown) => resolve(String(nonce)))
      worker.once('error', reject)
      signal.addEventListener('abort', () => reject(signal.reason), { signal: ended.signal })
      void clock.sleep(POW_MS, ended.signal).then(() => reject(new Error('no proof of work found')))
    })
  } finally {
    ended.abort()
    await worker.terminate()
  }
}
