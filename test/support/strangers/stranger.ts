import type { Heard } from './mailbox.ts'

/** Somebody with a client that is not ours; it knows the bot's key and one relay, and nothing else of tithe. */
export interface Stranger extends AsyncDisposable {
  readonly pubkey: string
  /** Reads what is addressed to it, from before anything was said. */
  begin(): Promise<void>
  /** Publishes the kind 10050 that says where it reads (NIP-17). */
  announce(): Promise<void>
  /** Says a text by NIP-17 or NIP-04. */
  say(via: 'nip17' | 'nip04', text: string): Promise<void>
  /** Publishes a kind 5050 for the bot (NIP-90), in clear or hidden in the scheme; answers its id. */
  request(text: string, encrypted: false | 'nip04' | 'nip44'): Promise<string>
  /** Takes an event back by a kind 5 of its own (NIP-09). */
  takeBack(eventId: string): Promise<void>
  /** The next thing heard that `fits` and was not taken yet; fails with `what` after a while. */
  hear(what: string, fits: (heard: Heard) => boolean): Promise<Heard>
  /** What was heard and not taken yet. */
  unheard(): readonly Heard[]
}

export interface StrangerOptions {
  /** The bot's public key, hex. */
  bot: string
  /** The one relay this stranger knows. */
  relay: string
}

/** The private tags of a kind 5050 (NIP-90), which stand in its content where that is encrypted. */
export const inputTags = (text: string): string[][] => [['i', text, 'text']]

/** The tags of a kind 5 (NIP-09) that takes a kind 5050 back. */
export const takeBackTags = (bot: string, eventId: string): string[][] => [
  ['e', eventId],
  ['p', bot],
  ['k', '5050'],
]

/** What each client can do of what tithe offers. */
export interface StrangerKind {
  readonly name: string
  readonly schemes: readonly (false | 'nip04' | 'nip44')[]
  create(options: StrangerOptions): Promise<Stranger>
}
