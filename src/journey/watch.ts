import type { Clock } from '../clock.ts'
import { LOOKS_AT_ONCE, WATCHED_INVOICES } from '../limits.ts'
import type { Log } from '../log.ts'
import type { Sql } from '../store/database.ts'
import {
  readWatched,
  readWatchPace,
  type SeenPayment,
  takeDueLooks,
  type WatchedInvoice,
  type WatchPace,
} from '../store/invoices.ts'
import { takeTurn } from '../store/turns.ts'
import type { PaymentChecker } from './lightning.ts'
import { createLookAround, type LookAround } from './look-around.ts'
import type { LookBudget } from './look-budget.ts'
import { createLooks, type Looks } from './looks.ts'

export interface WatchOptions {
  sql: Sql
  lightning: PaymentChecker
  looks: LookBudget
  clock: Clock
  log: Log
  holder: string
  /** Milliseconds between two bulk questions, however many invoices are open. */
  pollMs: number
  /** Books a confirmed payment. */
  paid(payment: SeenPayment): Promise<void>
}

export interface Watch {
  start(): void
  /** Somebody says this hash may be paid: look now. Without a hash: look at all. Never believed by itself. */
  hint(paymentHash?: string): void
  /** LNbits can be heard again, or for the first time: what is open is asked for at its node as well. */
  returned(): void
  /** An invoice was made, or a look is due: the pause may be over. */
  wake(): void
  /** One bulk question and the looks that are due. */
  runOnce(): Promise<{ asked: number; paid: number }>
  stop(): Promise<void>
}

/** Longest pause while no invoice may be paid; whoever makes one wakes the watch. */
const IDLE_MS = 300_000

/**
 * Notices payments. LNbits' own word under our own key is the authority: the websocket, the bulk list and the
 * expiry of an invoice only say when to look. One replica at a time asks in bulk; every replica follows its
 * own websocket.
 */
export function createWatch(options: WatchOptions): Watch {
  const { sql, clock, log, pollMs } = options
  const ended = new AbortController()
  // A few polls: a holder that died leaves a short gap, one that is slow keeps its turn.
  const turnSeconds = (3 * pollMs) / 1000 + 2
  let alarm = new AbortController()
  let loop: Promise<void> | undefined
  const words = createLooks(options)
  const look = (invoice: WatchedInvoice) => words.look(invoice, 'background')
  const around = createLookAround({ ...options, look, signal: ended.signal })
  const lookAtAll = createRound(options, words, around)
  // At the start and after LNbits was away a replica looks for itself, whoever has the turn: the holder may be
  // dead, and a payment that came meanwhile is announced no more.
  let urgent = true
  let resting = false
  let awaited = false

  return { start, hint, returned, wake, runOnce, stop }

  function start(): void {
    loop = (async () => {
      while (!ended.signal.aborted) {
        alarm = new AbortController()
        awaited = false
        const pauseMs = await pass()
        resting = pauseMs > pollMs
        // Between two polls there is nothing to hurry for: an invoice is not paid in the moment it is made.
        const shortMs = awaited ? Math.min(pollMs, pauseMs) : pauseMs
        await clock.sleep(shortMs, AbortSignal.any([alarm.signal, ended.signal]))
        resting = false
      }
    })()
  }

  /** Answers how long to pause. */
  async function pass(): Promise<number> {
    try {
      const pace = await readWatchPace(sql)
      if (pace.nextLookMs !== null) await runOnce()
      around.tend()
      return pauseFor(pace, pollMs)
    } catch (error) {
      log.warn({ err: error }, 'open invoices could not be looked at; trying again')
      return pollMs
    }
  }

  function returned(): void {
    around.wish()
    hint()
  }

  function wake(): void {
    awaited = true
    if (resting) alarm.abort()
  }

  function hint(paymentHash?: string): void {
    if (ended.signal.aborted) return
    if (paymentHash === undefined) {
      urgent = true
      alarm.abort()
      return
    }
    lookByHint(paymentHash).catch((error: unknown) => {
      log.warn({ err: error }, 'a hinted payment could not be looked at; the poll will find it')
    })
  }

  /** A hash of somebody else's, or one that is booked already, costs no question to LNbits. */
  async function lookByHint(paymentHash: string): Promise<void> {
    const [watched] = await readWatched(sql, 1, paymentHash)
    if (watched) await words.look(watched)
  }

  async function runOnce(): Promise<{ asked: number; paid: number }> {
    const ours = await takeTurn(sql, 'payment-watch', options.holder, turnSeconds)
    const mine = urgent
    if (!ours && !mine) return { asked: 0, paid: 0 }
    urgent = false
    try {
      return await lookAtAll()
    } catch (error) {
      urgent ||= mine
      throw error
    }
  }

  async function stop(): Promise<void> {
    ended.abort()
    await loop
    await around.settled()
    await words.settled()
  }
}

/** One bulk question about all that may be paid, and the looks that are due. */
function createRound(
  { sql, lightning, looks }: WatchOptions,
  words: Looks,
  around: Pick<LookAround, 'wish'>,
) {
  let unheard = false

  return async function lookAtAll(): Promise<{ asked: number; paid: number }> {
    const watched = await readWatched(sql, WATCHED_INVOICES)
    const amounts = new Map(watched.map((w) => [w.paymentHash, w.amountSats]))
    let paid = 0
    if (watched.length > 0) {
      const said = await listed([...amounts.keys()])
      const likely = [...said].flatMap(([paymentHash, state]) => {
        const amountSats = amounts.get(paymentHash)
        return state === 'paid' && amountSats !== undefined ? [{ paymentHash, amountSats }] : []
      })
      paid += await words.confirm(likely)
    }
    // No more than are due: what the watch holds, an expiry of the same moment has to do without.
    const wanted = watched.filter((invoice) => invoice.due).length
    const room = looks.take(Math.min(LOOKS_AT_ONCE, wanted))
    const due = room > 0 ? await takeDueLooks(sql, room) : []
    looks.giveBack(room - due.length)
    const found = await Promise.all(due.map((invoice) => words.look(invoice, 'background')))
    return { asked: watched.length, paid: paid + found.filter(Boolean).length }
  }

  /** Whoever does not follow the websocket learns by this that LNbits was away. */
  async function listed(hashes: string[]) {
    const before = unheard
    unheard = true
    const said = await lightning.listIncoming(hashes)
    unheard = false
    if (before) around.wish()
    return said
  }
}

function pauseFor({ open, nextLookMs }: WatchPace, pollMs: number): number {
  if (open) return pollMs
  return nextLookMs === null ? IDLE_MS : Math.min(IDLE_MS, Math.max(pollMs, nextLookMs))
}
