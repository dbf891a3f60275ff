import type { Clock } from '../clock.ts'
import { LOOKS_PER_PASS, WATCHED_INVOICES } from '../limits.ts'
import type { Log } from '../log.ts'
import type { Sql } from '../store/database.ts'
import {
  noteUnpaid,
  readWatched,
  type SeenPayment,
  takeDueLooks,
  type WatchedInvoice,
} from '../store/invoices.ts'
import { takeTurn } from '../store/turns.ts'
import type { IncomingState, PaymentChecker } from './lightning.ts'

export interface WatchOptions {
  sql: Sql
  lightning: PaymentChecker
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
  /** One bulk question and the looks that are due. */
  runOnce(): Promise<{ asked: number; paid: number }>
  stop(): Promise<void>
}

/**
 * Notices payments. LNbits' own word under our own key is the authority: the websocket, the bulk list and the
 * expiry of an invoice only say when to look. One replica at a time asks in bulk; every replica follows its
 * own websocket.
 */
export function createWatch(options: WatchOptions): Watch {
  const { sql, lightning, clock, log, pollMs } = options
  const ended = new AbortController()
  // A few polls: a holder that died leaves a short gap, one that is slow keeps its turn.
  const turnSeconds = (3 * pollMs) / 1000 + 2
  let alarm = new AbortController()
  let loop: Promise<void> | undefined
  const looks = new Map<string, Promise<boolean>>()
  // At the start and after LNbits was away a replica looks for itself, whoever has the turn: the holder may be
  // dead, and a payment that came meanwhile is announced no more.
  let urgent = true

  return { start, hint, runOnce, stop }

  function start(): void {
    loop = (async () => {
      while (!ended.signal.aborted) {
        alarm = new AbortController()
        try {
          await runOnce()
        } catch (error) {
          log.warn({ err: error }, 'open invoices could not be looked at; trying again')
        }
        await clock.sleep(pollMs, AbortSignal.any([alarm.signal, ended.signal]))
      }
    })()
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
    if (watched) await look(watched)
  }

  async function runOnce(): Promise<{ asked: number; paid: number }> {
    const ours = await takeTurn(sql, 'payment-watch', options.holder, turnSeconds)
    if (!ours && !urgent) return { asked: 0, paid: 0 }
    urgent = false
    const watched = await readWatched(sql, WATCHED_INVOICES)
    const amounts = new Map(watched.map((w) => [w.paymentHash, w.amountSats]))
    let paid = 0
    if (watched.length > 0) {
      const said = await lightning.listIncoming([...amounts.keys()])
      const likely = [...said].flatMap(([paymentHash, state]) => {
        const amountSats = amounts.get(paymentHash)
        return state === 'paid' && amountSats !== undefined ? [{ paymentHash, amountSats }] : []
      })
      const found = await Promise.all(likely.map((watched) => look(watched)))
      paid += found.filter(Boolean).length
    }
    const due = await takeDueLooks(sql, LOOKS_PER_PASS)
    const found = await Promise.all(due.map((watched) => look(watched, 'background')))
    return { asked: watched.length, paid: paid + found.filter(Boolean).length }
  }

  /** The authoritative look at one hash; concurrent reasons to look share it. True when it is paid. */
  function look({ paymentHash, amountSats }: WatchedInvoice, priority: LookPriority = 'payment') {
    const running = looks.get(paymentHash)
    if (running) return running
    const fresh = lookOnce(paymentHash, amountSats, priority).finally(() =>
      looks.delete(paymentHash),
    )
    looks.set(paymentHash, fresh)
    return fresh
  }

  async function lookOnce(
    paymentHash: string,
    amountSats: number,
    priority: LookPriority,
  ): Promise<boolean> {
    const seen: IncomingState = await lightning.lookupIncoming(paymentHash, amountSats, priority)
    if (seen.state === 'paid') {
      await options.paid({ ...seen, paymentHash })
      return true
    }
    if (seen.state === 'unreachable') log.debug({ reason: seen.reason }, 'LNbits cannot be asked')
    else await noteUnpaid(sql, [paymentHash])
    return false
  }

  async function stop(): Promise<void> {
    ended.abort()
    await loop
    await Promise.allSettled(looks.values())
  }
}

/** A payment that somebody hinted at goes before quotes; a look that is merely due goes last. */
type LookPriority = 'payment' | 'background'
