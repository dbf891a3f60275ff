import { decryptNip04 } from './nip04.ts'
import { decrypt } from './nip44.ts'
import type { Identity } from './types.ts'

/**
 * How content of `peer` (hex) is opened in either scheme. NIP-04 answers undefined for what it cannot read,
 * NIP-44 throws a Nip44Error.
 */
export const decryptersOf = (identity: Identity) => ({
  decryptNip04: (peer: string, content: string) => decryptNip04(identity, peer, content),
  decryptNip44: (peer: string, content: string) => decrypt(content, identity.conversationKey(peer)),
})
