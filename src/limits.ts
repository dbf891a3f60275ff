/**
 * Every bound of the program with its reason. A bound is here when it protects tithe from outsiders
 * or from itself; what an operator may choose is a setting and lives in `config.ts`.
 */

/** Largest WebSocket frame read, 256 KiB: a wrap of our largest plaintext is 110 KiB, ws allows 100 MiB. */
export const RELAY_FRAME_BYTES = 256 * 1024
/** Largest encrypted content opened, in characters of base64: NIP-44 text of 64 KiB plaintext fits. */
export const SEALED_CONTENT_CHARS = 96 * 1024
/** Largest plaintext decrypted or encrypted, 64 KiB: older NIP-44 peers cannot read more. */
export const NIP44_PLAINTEXT_BYTES = 65_535
/** Deepest JSON nesting read from the network: JSON.parse takes 100,000 levels, JSON.stringify overflows. */
export const JSON_DEPTH = 32
/** Largest published frame when a relay names no smaller one: strfry refuses events above 65,536 bytes. */
export const PUBLISH_FRAME_BYTES = 65_536
/** Longest request text a job may carry, in characters. Larger texts do not fit one wrap on common relays. */
export const REQUEST_CHARS = 20_000
/** Most relays of one customer we publish to, NIP-17 asks for lists of one to three. */
export const CUSTOMER_RELAYS = 4
/** Customers' relays connected at once, so that hostile relay lists cannot use up sockets. */
export const ADHOC_CONNECTIONS = 64
/** Oldest request that is still executed, seconds (7 days): older ones get one "please resend". */
export const REQUEST_AGE_SECONDS = 7 * 86_400
/** How far in the future a rumor may be dated, seconds: clocks of phones are wrong by minutes. */
export const FUTURE_SECONDS = 600
/** Wraps are back-dated up to two days (NIP-59); resume looks back that far and an hour more. */
export const WRAP_BACKDATE_SECONDS = 2 * 86_400 + 3_600
/** Largest amount of one invoice in sats: LNbits' own default ceiling. */
export const INVOICE_SATS = 10_000_000
/** The largest amount of sats that exists (21e14 msat-free units): anything above is a bug or a lie. */
export const ALL_SATS = 21e14
/** Bytes of an invoice memo; FakeWallet's bolt11 takes 639 bytes, other nodes less. */
export const MEMO_BYTES = 500
/** Longest bolt11 read, characters: LND's own cap. */
export const BOLT11_CHARS = 7_092
/** Most requests decided in one accept transaction: above it throughput grows 20 %, latency doubles. */
export const ACCEPT_BATCH = 256
/** Conversation keys kept, 32 bytes each: a busy bot's regular customers. */
export const CONVERSATION_KEYS = 4_096
