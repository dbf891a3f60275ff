import { randomBytes } from 'node:crypto'
import { systemClock, unixSeconds } from '../src/clock.ts'
import { silentLog } from '../src/log.ts'
import { loadCurve } from '../src/nostr/curve.ts'
import { makeRumor, openGiftWrap, wrapRumor } from '../src/nostr/giftwrap.ts'
import { createIdentity } from '../src/nostr/identity.ts'
import { connectRelay } from '../src/nostr/relay.ts'
import type { Identity, NostrEvent } from '../src/nostr/types.ts'

/** Many customers behind one connection, each with keys of its own, so that the crowd costs little itself. */
export interface Crowd extends AsyncDisposable {
  /** Sends a program's request; answers the replies to it as they come, each with the time it came. */
  ask(customer: number, request: Record<string, unknown>): Promise<Asked>
}

export interface Asked {
  sentAt: number
  /** The next reply; fails after a while. */
  next(): Promise<{ reply: Record<string, unknown>; at: number }>
}

const REPLY_MS = 60_000
const PUBLISH_MS = 10_000
/** Where a key reads its DMs (NIP-17). */
const DM_LIST_KIND = 10_050

export async function openCrowd(options: {
  relay: string
  bot: string
  customers: number
  /** A customer's keys ask in turn, because a key may have a hundred unpaid jobs and no more. */
  keysEach?: number
}): Promise<Crowd> {
  const { relay: url, bot, customers, keysEach = 1 } = options
  const { curve } = await loadCurve()
  // A customer reads the seal's signature; the wrap's says nothing of who wrote.
  const relay = connectRelay({ url, verify: () => true, clock: systemClock, log: silentLog })
  const identities = Array.from({ length: customers * keysEach }, () =>
    createIdentity(curve, randomBytes(32)),
  )
  const byKey = new Map(identities.map((identity) => [identity.pubkey, identity]))
  const counts = Array.from({ length: customers }, () => 0)
  const waiting = new Map<string, ReturnType<typeof createInbox>>()
  let nextId = 0

  await new Promise<void>((resolve) => {
    relay.subscribe({
      filters: [{ kinds: [1059], '#p': [...byKey.keys()], limit: 1 }],
      onEose: () => resolve(),
      onEvent: (wrap) => hear(wrap),
    })
  })
  await Promise.all(
    identities.map((identity) => {
      const tags = [['relay', url]]
      const list = { kind: DM_LIST_KIND, created_at: unixSeconds(systemClock), tags, content: '' }
      return relay.publish(identity.sign(list), PUBLISH_MS)
    }),
  )

  function hear(wrap: NostrEvent): void {
    const at = performance.timeOrigin + performance.now()
    const identity = byKey.get(wrap.tags.find(([name]) => name === 'p')?.[1] ?? '')
    if (!identity) return
    const nowSeconds = unixSeconds(systemClock)
    const opened = openGiftWrap({ wrap, identity, nowSeconds, verified: true })
    if (!opened.ok || opened.sender !== bot) return
    const reply = JSON.parse(opened.rumor.content)
    waiting.get(reply.id)?.put({ reply, at })
  }

  function identityOf(customer: number): Identity {
    const count = counts[customer] ?? 0
    counts[customer] = count + 1
    const identity = identities[customer * keysEach + (count % keysEach)]
    if (!identity) throw new Error(`there is no customer ${customer}`)
    return identity
  }

  return {
    async ask(customer, request) {
      const identity = identityOf(customer)
      nextId += 1
      const id = `bench-${nextId}`
      const inbox = createInbox()
      waiting.set(id, inbox)
      const created_at = unixSeconds(systemClock)
      const content = JSON.stringify({ id, ...request })
      const tags = [['p', bot]]
      const rumor = makeRumor(identity.pubkey, { kind: 14, created_at, tags, content })
      const wrap = wrapRumor({ identity, rumor, to: bot, nowSeconds: created_at })
      const sentAt = performance.timeOrigin + performance.now()
      void relay.publish(wrap, PUBLISH_MS)
      return { sentAt, next: inbox.next }
    },
    [Symbol.asyncDispose]: () => relay.stop(),
  }
}

type Letter = { reply: Record<string, unknown>; at: number }

function createInbox() {
  const letters: Letter[] = []
  let wake = () => {}
  return {
    put(letter: Letter) {
      letters.push(letter)
      wake()
    },
    async next(): Promise<Letter> {
      if (letters.length === 0) {
        await new Promise<void>((resolve, reject) => {
          const late = setTimeout(() => reject(new Error('no reply came')), REPLY_MS)
          wake = () => {
            clearTimeout(late)
            resolve()
          }
        })
      }
      const letter = letters.shift()
      if (!letter) throw new Error('woken without a letter')
      return letter
    },
  }
}
