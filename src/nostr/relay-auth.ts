import { type Clock, unixSeconds } from '../clock.ts'
import type { Deadlines } from './deadlines.ts'
import type { Identity } from './types.ts'

/** Kind of an AUTH answer (NIP-42). It is never published. */
const AUTH_KIND = 22_242
/** AUTH answers on one connection before the relay counts as one that refuses us. */
const TRIES = 3
/** After this long one more answer is allowed: a relay that limits rates may have calmed down. */
const RETRY_MS = 60_000

export interface RelayAuth {
  readonly state: AuthState
  /** Whether a challenge came at all, and we can answer it. */
  readonly offered: boolean
  /** A challenge came. The first one is answered at once, later ones when something is refused. */
  challenged(challenge: string): void
  /** An OK came; true when it was for an AUTH answer. */
  answered(id: string, accepted: boolean): boolean
  /**
   * Something was refused for want of AUTH. Resolves true when it is worth sending again, false when
   * it is not. `sentAfter`: it had been sent after the last AUTH, so that AUTH was not enough.
   */
  ensure(sentAfter: boolean): Promise<boolean>
}

/** `unanswered` counts as success until something is refused: some relays only answer a bad AUTH. */
export type AuthState = 'none' | 'asking' | 'accepted' | 'unanswered' | 'refused'

/**
 * NIP-42 on one connection: bounded tries, a time-out for relays that never answer, the URL we
 * dialled and never one the relay names. `onSettled` runs after every try; one that passed may have
 * changed what the relay shows. Nothing throws, not even a signer that does.
 */
export function createRelayAuth(options: {
  identity: Identity | undefined
  url: string
  clock: Clock
  deadlines: Deadlines
  timeoutMs: number
  send(text: string): boolean
  onSettled(passed: boolean): void
}): RelayAuth {
  const { identity, url, clock, deadlines, timeoutMs } = options
  let state: AuthState = 'none'
  let challenge: string | undefined
  let asked: { id: string; done(state: AuthState): void } | undefined
  let attempt: Promise<boolean> | undefined
  let gotChallenge = () => {}
  let tries = 0
  let triedAt = 0

  async function authenticate(): Promise<boolean> {
    state = 'asking'
    if (challenge === undefined) await nextChallenge()
    let answered: string | undefined
    do {
      tries += 1
      triedAt = clock.now()
      answered = challenge
      const answer = answered === undefined ? 'refused' : await ask(answered)
      // A challenge may be replaced while its answer is on the way; then it was not us that was refused.
      state = answer === 'refused' && challenge !== answered && tries < TRIES ? 'asking' : answer
    } while (state === 'asking')
    attempt = undefined
    const passed = state !== 'refused'
    options.onSettled(passed)
    return passed
  }

  /** CLOSED may come before the challenge it is about. */
  function nextChallenge(): Promise<void> {
    return new Promise((resolve) => {
      gotChallenge = resolve
      deadlines.after(timeoutMs, resolve)
    })
  }

  function ask(current: string): Promise<AuthState> {
    return new Promise((resolve) => {
      const event = sign(current)
      if (event === undefined) return resolve('refused')
      const done = (answer: AuthState) => {
        asked = undefined
        cancel()
        resolve(answer)
      }
      const cancel = deadlines.after(timeoutMs, () => done('unanswered'))
      asked = { id: event.id, done }
      if (!options.send(`["AUTH",${JSON.stringify(event)}]`)) done('refused')
    })
  }

  function sign(current: string) {
    try {
      return identity?.sign({
        kind: AUTH_KIND,
        created_at: unixSeconds(clock),
        tags: [
          ['relay', url],
          ['challenge', current],
        ],
        content: '',
      })
    } catch {
      return undefined
    }
  }

  return {
    get state() {
      return state
    },
    get offered() {
      return challenge !== undefined && identity !== undefined
    },
    challenged(text) {
      const early = state === 'none' && attempt === undefined
      challenge = text
      gotChallenge()
      if (early && identity !== undefined) attempt = authenticate()
    },
    answered(id, accepted) {
      if (asked?.id !== id) return false
      asked.done(accepted ? 'accepted' : 'refused')
      return true
    },
    ensure(sentAfter) {
      if (identity === undefined) return Promise.resolve(false)
      if (attempt !== undefined) return attempt
      const passed = state === 'accepted' || state === 'unanswered'
      if (passed && !sentAfter) return Promise.resolve(true)
      if (tries >= TRIES && clock.now() - triedAt < RETRY_MS) return Promise.resolve(false)
      attempt = authenticate()
      return attempt
    },
  }
}
