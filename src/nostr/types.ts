/** A signed Nostr event (NIP-01). All hex is lower case. */
export interface NostrEvent {
  id: string
  pubkey: string
  /** Unix seconds. */
  created_at: number
  kind: number
  tags: string[][]
  content: string
  sig: string
}

/** An unsigned event with its id, as it lies inside a seal (NIP-59). */
export type Rumor = Omit<NostrEvent, 'sig'>

export type EventTemplate = Pick<NostrEvent, 'kind' | 'created_at' | 'tags' | 'content'>

/** A subscription filter (NIP-01). */
export interface Filter {
  ids?: string[]
  authors?: string[]
  kinds?: number[]
  since?: number
  until?: number
  limit?: number
  [tag: `#${string}`]: string[] | undefined
}

/** One secret key made ready: its public key, signatures and shared points come from one native object. */
export interface Keypair {
  /** x-only public key, 32 bytes (BIP-340). */
  readonly publicKey: Uint8Array
  /**
   * BIP-340 signature of a 32-byte message, 64 bytes. `auxRand` (32 bytes) is fresh randomness unless
   * given; only the official vectors give it.
   */
  sign(message: Uint8Array, auxRand?: Uint8Array): Uint8Array
  /** x coordinate of the shared point, 32 bytes, unhashed, as NIP-44 wants it. Throws on a key off the curve. */
  ecdhX(publicKey: Uint8Array): Uint8Array
}

/** The four curve operations everything else is built from. */
export interface Curve {
  readonly name: 'native' | 'wasm'
  /** BIP-340 verification. Never throws: any malformed input is `false`. */
  verify(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean
  /** Throws on a secret that is not a valid scalar. */
  keypair(secret: Uint8Array): Keypair
}

/** A secret key that cannot be read back: it signs and it agrees on conversation keys, nothing else. */
export interface Identity {
  readonly curve: Curve
  /** Lower-case hex. */
  readonly pubkey: string
  sign(template: EventTemplate): NostrEvent
  /** NIP-44 conversation key with `peer` (hex), 32 bytes, kept in a bounded map. Throws on a key off the curve. */
  conversationKey(peer: string): Buffer
  /** Unhashed ECDH x with `peer` (hex), the AES key of NIP-04. */
  sharedX(peer: string): Uint8Array
}
