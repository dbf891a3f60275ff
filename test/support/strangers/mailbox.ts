import { until } from '../until.ts'

/** What a stranger heard of the bot, as its own client read it. */
export type Heard =
  | { via: 'nip17' | 'nip04'; text: string }
  /** Kind 7000 or 6050 about the request `about`; `status` is `result` for the latter. */
  | {
      via: 'nip90'
      about: string
      status: string
      message: string
      amountMsat: number | undefined
      bolt11: string | undefined
      text: string
    }

export interface Mailbox {
  put(heard: Heard): void
  take(what: string, fits: (heard: Heard) => boolean): Promise<Heard>
  left(): readonly Heard[]
}

const HEAR_MS = 12_000

/** Everything a stranger heard and nobody took yet, in the order it came. */
export function createMailbox(): Mailbox {
  const waiting: Heard[] = []
  return {
    put: (heard) => void waiting.push(heard),
    left: () => [...waiting],
    take(what, fits) {
      return until(
        `${what}; heard were ${JSON.stringify(waiting)}`,
        () => {
          const place = waiting.findIndex(fits)
          return place >= 0 ? waiting.splice(place, 1)[0] : undefined
        },
        HEAR_MS,
      )
    },
  }
}

/** A kind 7000 or 6050 of the bot, its content already opened. */
export function heardOfJob(event: { kind: number; tags: string[][] }, text: string): Heard {
  const tag = (name: string) => event.tags.find(([found]) => found === name) ?? []
  const [, status = '', message = ''] = event.kind === 6050 ? ['', 'result'] : tag('status')
  const [, amount, bolt11] = tag('amount')
  return {
    via: 'nip90',
    about: tag('e')[1] ?? '',
    status,
    message,
    amountMsat: amount === undefined ? undefined : Number(amount),
    bolt11,
    text,
  }
}

/** Some relays pass live events to whoever asked for their kind, whatever else the filter says. */
export const isFor = (pubkey: string, tags: readonly string[][]): boolean =>
  tags.some(([name, value]) => name === 'p' && value === pubkey)
