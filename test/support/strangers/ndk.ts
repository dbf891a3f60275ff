import NDK, {
  giftUnwrap,
  giftWrap,
  NDKDVMJobFeedback,
  NDKDVMJobResult,
  NDKDVMRequest,
  NDKEvent,
  NDKPrivateKeySigner,
  NDKRelayAuthPolicies,
  NDKUser,
} from '@nostr-dev-kit/ndk'
import { until } from '../until.ts'
import { createMailbox, heardOfJob, isFor } from './mailbox.ts'
import { type Stranger, type StrangerKind, type StrangerOptions, takeBackTags } from './stranger.ts'

/** NDK as web and mobile clients use it: its relay set, its AUTH, its gift wraps and its DVM classes. */
export const ndkStranger: StrangerKind = {
  name: 'NDK',
  schemes: [false, 'nip04', 'nip44'],
  create,
}

async function create({ bot, relay }: StrangerOptions): Promise<Stranger> {
  const signer = NDKPrivateKeySigner.generate()
  const { pubkey } = signer
  const ndk = new NDK({
    explicitRelayUrls: [relay],
    signer,
    // NDK would look for other relays in the world.
    enableOutboxModel: false,
    autoConnectUserRelays: false,
  })
  ndk.relayAuthDefaultPolicy = NDKRelayAuthPolicies.signIn({ ndk, signer })
  const peer = new NDKUser({ pubkey: bot })
  peer.ndk = ndk
  const mailbox = createMailbox()
  await ndk.connect(5_000)
  await until('NDK is connected', () => ndk.pool.connectedRelays().length > 0)

  async function hear(event: NDKEvent): Promise<void> {
    if (!isFor(pubkey, event.tags)) return
    if (event.kind === 1059) {
      const rumor = await giftUnwrap(event, undefined, signer)
      if (rumor.pubkey === bot) mailbox.put({ via: 'nip17', text: rumor.content })
    } else if (event.pubkey !== bot) return
    else if (event.kind === 4) {
      await event.decrypt(peer, signer, 'nip04')
      mailbox.put({ via: 'nip04', text: event.content })
    } else {
      const hidden = event.getMatchingTags('encrypted').length > 0 && event.content !== ''
      const scheme = event.content.includes('?iv=') ? 'nip04' : 'nip44'
      if (hidden) await event.decrypt(peer, signer, scheme)
      const read =
        event.kind === 7000 ? await NDKDVMJobFeedback.from(event) : NDKDVMJobResult.from(event)
      mailbox.put(heardOfJob({ kind: event.kind, tags: read.tags }, read.content))
    }
  }

  const listen = (kinds: number[]): Promise<void> =>
    new Promise((resolve) => {
      ndk.subscribe(
        { kinds, '#p': [pubkey] },
        { closeOnEose: false, groupable: false },
        {
          onEvent: (event) => void hear(event),
          onEose: () => resolve(),
        },
      )
    })
  const publish = async (kind: number, tags: string[][], content = '') => {
    const event = new NDKEvent(ndk, { kind, tags, content, created_at: now(), pubkey })
    await event.publish()
    return event.id
  }

  return {
    pubkey,
    async begin() {
      await Promise.all([listen([1059]), listen([4]), listen([6050, 7000])])
    },
    announce: async () => void (await publish(10_050, [['relay', relay]])),
    async say(via, text) {
      const kind = via === 'nip04' ? 4 : 14
      const event = new NDKEvent(ndk, {
        kind,
        content: text,
        tags: [['p', bot]],
        created_at: now(),
        pubkey,
      })
      if (via === 'nip04') {
        await event.encrypt(peer, signer, 'nip04')
        await event.publish()
      } else await (await giftWrap(event, peer, signer)).publish()
    },
    async request(text, encrypted) {
      const request = new NDKDVMRequest(ndk, {
        kind: 5050,
        content: '',
        tags: [],
        created_at: now(),
        pubkey,
      })
      request.addInput(text, 'text')
      if (encrypted) {
        request.content = JSON.stringify(request.tags)
        request.tags = [['p', bot], ['encrypted']]
        await request.encrypt(peer, signer, encrypted)
      } else request.dvm = peer
      await request.publish()
      return request.id
    },
    takeBack: async (id) => void (await publish(5, takeBackTags(bot, id))),
    hear: mailbox.take,
    unheard: mailbox.left,
    async [Symbol.asyncDispose]() {
      for (const known of ndk.pool.relays.values()) known.disconnect()
    },
  }
}

const now = () => Math.floor(Date.now() / 1000)
