import { CommandError } from '../command.ts'
import { parsePubkey } from '../nostr/identity.ts'

/** A public key as it was typed, to hex. The text is never repeated: it may be a secret key. */
export function readKey(text: string): string {
  try {
    return parsePubkey(text)
  } catch (cause) {
    const rule = cause instanceof Error ? cause.message : 'it cannot be read'
    throw new CommandError(`That is not the key of a customer: ${rule}.`, { status: 2, cause })
  }
}
