import { generateSecretKey, signWith } from '../../src/nostr/identity.ts'
import { conversationKey, encrypt } from '../../src/nostr/nip44.ts'
import type { EventTemplate, Identity, NostrEvent, Rumor } from '../../src/nostr/types.ts'
import { GIFT_WRAP_KIND, makeRumor, SEAL_KIND } from '../../src/nostr/giftwrap.ts'

/** What the forger changes, from the inside out; each step gets the honest thing and answers its own. */
export interface Forgery {
  rumor?: (rumor: Rumor) => unknown
  rumorText?: (text: string) => string
  /** Content of the seal: base64 of the encrypted rumor. */
  sealContent?: (payload: string, rumorText: string) => string
  /** Before the seal is signed. */
  sealTemplate?: Partial<EventTemplate>
  /** After the seal is signed. */
  seal?: (seal: NostrEvent) => unknown
  sealText?: (text: string) => string
  wrapContent?: (payload: string, sealText: string) => string
  wrapTemplate?: Partial<EventTemplate>
  wrap?: (wrap: NostrEvent) => unknown
  /** Whom the two layers are encrypted for, where it is not the recipient. */
  sealTo?: string
  wrapTo?: string
  /** Who signs the seal, where it is not the author of the rumor. */
  sealBy?: Identity
}

/** The message every forgery starts from. */
export const honestTemplate = (to: string, nowSeconds: number): EventTemplate => ({
  kind: 14,
  created_at: nowSeconds - 60,
  tags: [['p', to]],
  content: 'what is a satoshi?',
})

/**
 * A gift wrap built layer by layer with real keys, so that each layer is as valid as its forger can
 * make it: what a test gets refused is refused for the one thing that it changed.
 */
export function forgeWrap(
  { author, to, nowSeconds }: { author: Identity; to: string; nowSeconds: number },
  forgery: Forgery = {},
): NostrEvent {
  const same = <T>(value: T): T => value
  const rumor = makeRumor(author.pubkey, honestTemplate(to, nowSeconds))
  const rumorText = (forgery.rumorText ?? same)(JSON.stringify((forgery.rumor ?? same)(rumor)))
  const sealer = forgery.sealBy ?? author
  const sealed = encrypt(rumorText, sealer.conversationKey(forgery.sealTo ?? to))
  const seal = sealer.sign({
    kind: SEAL_KIND,
    created_at: nowSeconds - 1_000,
    tags: [],
    content: (forgery.sealContent ?? same)(sealed, rumorText),
    ...forgery.sealTemplate,
  })
  const sealText = (forgery.sealText ?? same)(JSON.stringify((forgery.seal ?? same)(seal)))
  const oneTime = author.curve.keypair(generateSecretKey())
  const shared = oneTime.ecdhX(Buffer.from(forgery.wrapTo ?? to, 'hex'))
  const wrapped = encrypt(sealText, conversationKey(shared))
  const wrap = signWith(oneTime, Buffer.from(oneTime.publicKey).toString('hex'), {
    kind: GIFT_WRAP_KIND,
    created_at: nowSeconds - 2_000,
    tags: [['p', to]],
    content: (forgery.wrapContent ?? same)(wrapped, sealText),
    ...forgery.wrapTemplate,
  })
  // A forger may put any JSON on the wire; the opener's caller sees it as an event.
  return (forgery.wrap ?? same)(wrap) as NostrEvent
}
