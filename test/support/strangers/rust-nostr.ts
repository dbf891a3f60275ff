import {
  type Client,
  ClientBuilder,
  Duration,
  type Event,
  EventBuilder,
  Filter,
  Keys,
  Kind,
  loadWasmAsync,
  NIP44Version,
  NostrSigner,
  nip04Decrypt,
  nip04Encrypt,
  nip44Decrypt,
  nip44Encrypt,
  PublicKey,
  Tag,
} from '@rust-nostr/nostr-sdk'
import { createMailbox, heardOfJob, isFor } from './mailbox.ts'
import {
  inputTags,
  type Stranger,
  type StrangerKind,
  type StrangerOptions,
  takeBackTags,
} from './stranger.ts'

/** rust-nostr's client compiled to WASM: another language's codecs, sockets and AUTH. */
export const rustNostrStranger: StrangerKind = {
  name: 'rust-nostr',
  schemes: [false, 'nip04', 'nip44'],
  create,
}

const CONNECT_SECONDS = 5

async function create({ bot, relay }: StrangerOptions): Promise<Stranger> {
  await loadWasmAsync()
  const keys = Keys.generate()
  const me = keys.publicKey.toHex()
  const secret = keys.secretKey
  // Objects of the WASM side are consumed by what they are handed to, so each use gets its own.
  const peer = () => PublicKey.parse(bot)
  const client: Client = new ClientBuilder().signer(NostrSigner.keys(keys)).build()
  await client.addRelay(relay)
  await client.tryConnect(Duration.fromSecs(CONNECT_SECONDS))
  const mailbox = createMailbox()
  const listening = client.handleNotifications({
    handleEvent: async (_relay, _subscription, event) => {
      await hear(event)
      return false
    },
    handleMsg: async () => false,
  })

  async function hear(event: Event): Promise<void> {
    const { kind, content, tags } = JSON.parse(event.asJson())
    if (!isFor(me, tags)) return
    if (kind === 1059) {
      const { sender, rumor } = await client.unwrapGiftWrap(event)
      const text: string = JSON.parse(rumor.asJson()).content
      if (sender.toHex() === bot) mailbox.put({ via: 'nip17', text })
    } else if (event.author.toHex() !== bot) return
    else if (kind === 4) mailbox.put({ via: 'nip04', text: nip04Decrypt(secret, peer(), content) })
    else mailbox.put(heardOfJob({ kind, tags }, open(tags, content)))
  }

  function open(tags: string[][], content: string): string {
    if (!tags.some(([name]) => name === 'encrypted') || content === '') return content
    return content.includes('?iv=')
      ? nip04Decrypt(secret, peer(), content)
      : nip44Decrypt(secret, peer(), content)
  }

  async function publish(kind: number, tags: string[][], content = ''): Promise<string> {
    const builder = new EventBuilder(new Kind(kind), content).tags(
      tags.map((tag) => Tag.parse(tag)),
    )
    const sent = await client.sendEventBuilder(builder)
    if (sent.success.length === 0) throw new Error(`${relay} took no kind ${kind}`)
    return sent.id.toHex()
  }

  return {
    pubkey: me,
    async begin() {
      for (const kinds of [[1059], [4], [6050, 7000]]) {
        const filter = { kinds, '#p': [me] }
        await client.subscribe(Filter.fromJson(JSON.stringify(filter)))
      }
    },
    announce: async () => void (await publish(10_050, [['relay', relay]])),
    async say(via, text) {
      if (via === 'nip17') await client.sendPrivateMsg(peer(), text, [])
      else await publish(4, [['p', bot]], nip04Encrypt(secret, peer(), text))
    },
    request(text, encrypted) {
      if (!encrypted) return publish(5050, [...inputTags(text), ['p', bot]])
      const inside = JSON.stringify(inputTags(text))
      const hidden =
        encrypted === 'nip04'
          ? nip04Encrypt(secret, peer(), inside)
          : nip44Encrypt(secret, peer(), inside, NIP44Version.V2)
      return publish(5050, [['p', bot], ['encrypted']], hidden)
    },
    takeBack: async (id) => void (await publish(5, takeBackTags(bot, id))),
    hear: mailbox.take,
    unheard: mailbox.left,
    async [Symbol.asyncDispose]() {
      listening.abort()
      await client.shutdown()
    },
  }
}
