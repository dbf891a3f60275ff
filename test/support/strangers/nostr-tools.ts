import * as nip04 from 'nostr-tools/nip04'
import * as nip17 from 'nostr-tools/nip17'
import * as nip44 from 'nostr-tools/nip44'
import * as nip59 from 'nostr-tools/nip59'
import { finalizeEvent, generateSecretKey, getPublicKey, type NostrEvent } from 'nostr-tools/pure'
import { WebSocket } from 'ws'
import { createMailbox, heardOfJob, isFor } from './mailbox.ts'
import {
  inputTags,
  type Stranger,
  type StrangerKind,
  type StrangerOptions,
  takeBackTags,
} from './stranger.ts'

/** nostr-tools' own codecs over a bare WebSocket, as small web clients do it. */
export const nostrToolsStranger: StrangerKind = {
  name: 'nostr-tools',
  schemes: [false, 'nip04', 'nip44'],
  create: rawStranger,
}

/** A stranger that can also say what no client would. */
export interface RawStranger extends Stranger {
  publish(kind: number, tags: string[][], content?: string): Promise<string>
  /** Wraps a rumor of any kind for the bot (NIP-59); answers the rumor's id. */
  whisper(kind: number, tags: string[][], content: string): Promise<string>
}

export async function rawStranger({ bot, relay }: StrangerOptions): Promise<RawStranger> {
  const secret = generateSecretKey()
  const pubkey = getPublicKey(secret)
  const mailbox = createMailbox()
  const line = await openLine(relay, secret, (event) => hear(event))

  function hear(event: NostrEvent): void {
    if (!isFor(pubkey, event.tags)) return
    if (event.kind === 1059) {
      const rumor = nip17.unwrapEvent(event, secret)
      if (rumor.pubkey === bot) mailbox.put({ via: 'nip17', text: rumor.content })
    } else if (event.pubkey !== bot) return
    else if (event.kind === 4) {
      mailbox.put({ via: 'nip04', text: nip04.decrypt(secret, bot, event.content) })
    } else mailbox.put(heardOfJob(event, open(event)))
  }

  function open({ tags, content }: NostrEvent): string {
    if (!tags.some(([name]) => name === 'encrypted') || content === '') return content
    if (content.includes('?iv=')) return nip04.decrypt(secret, bot, content)
    return nip44.decrypt(content, nip44.getConversationKey(secret, bot))
  }

  const publish = (kind: number, tags: string[][], content = '') => {
    const created_at = Math.floor(Date.now() / 1000)
    return line.publish(finalizeEvent({ kind, created_at, tags, content }, secret))
  }

  return {
    pubkey,
    publish,
    async whisper(kind, tags, content) {
      const created_at = Math.floor(Date.now() / 1000)
      const rumor = nip59.createRumor({ kind, tags, content, created_at }, secret)
      const seal = nip59.createSeal(rumor, secret, bot)
      await line.publish(nip59.createWrap(seal, bot))
      return rumor.id
    },
    begin: () =>
      line
        .subscribe([
          { kinds: [1059], '#p': [pubkey] },
          { kinds: [4], '#p': [pubkey] },
        ])
        .then(() => line.subscribe([{ kinds: [6050, 7000], '#p': [pubkey] }])),
    announce: async () => void (await publish(10_050, [['relay', relay]])),
    async say(via, text) {
      if (via === 'nip04') {
        await publish(4, [['p', bot]], nip04.encrypt(secret, bot, text))
      } else await line.publish(nip17.wrapEvent(secret, { publicKey: bot }, text))
    },
    request(text, encrypted) {
      if (!encrypted) return publish(5050, [...inputTags(text), ['p', bot]])
      const inside = JSON.stringify(inputTags(text))
      const hidden =
        encrypted === 'nip04'
          ? nip04.encrypt(secret, bot, inside)
          : nip44.encrypt(inside, nip44.getConversationKey(secret, bot))
      return publish(5050, [['p', bot], ['encrypted']], hidden)
    },
    takeBack: async (id) => void (await publish(5, takeBackTags(bot, id))),
    hear: mailbox.take,
    unheard: mailbox.left,
    [Symbol.asyncDispose]: line.close,
  }
}

/** One socket that answers AUTH and asks again after it. */
async function openLine(url: string, secret: Uint8Array, hear: (event: NostrEvent) => void) {
  const socket = new WebSocket(url)
  const answers = new Map<string, (accepted: boolean) => void>()
  const ends = new Map<string, () => void>()
  const requests = new Map<string, unknown[]>()
  const say = (...message: unknown[]) => socket.send(JSON.stringify(message))
  const askAll = () => {
    for (const [id, filters] of requests) say('REQ', id, ...filters)
  }
  const challenged = (challenge: string) => {
    const created_at = Math.floor(Date.now() / 1000)
    const tags = [
      ['relay', url],
      ['challenge', challenge],
    ]
    const event = finalizeEvent({ kind: 22_242, created_at, tags, content: '' }, secret)
    answers.set(event.id, askAll)
    say('AUTH', event)
  }
  socket.on('message', (data) => {
    const [type, first, second] = JSON.parse(String(data))
    if (type === 'EVENT') hear(second)
    else if (type === 'AUTH') challenged(first)
    else if (type === 'OK') answers.get(first)?.(second)
    else if (type === 'EOSE') ends.get(first)?.()
  })
  await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject))

  return {
    publish(event: NostrEvent): Promise<string> {
      return new Promise((resolve, reject) => {
        answers.set(event.id, (accepted) =>
          accepted ? resolve(event.id) : reject(new Error(`${url} refused kind ${event.kind}`)),
        )
        say('EVENT', event)
      })
    },
    subscribe(filters: unknown[]): Promise<void> {
      const id = `stranger-${requests.size}`
      requests.set(id, filters)
      say('REQ', id, ...filters)
      return new Promise((resolve) => ends.set(id, resolve))
    },
    async close() {
      const closed = new Promise((resolve) => socket.on('close', resolve))
      socket.terminate()
      await closed
    },
  }
}
