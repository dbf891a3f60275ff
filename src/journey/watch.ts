import type { Clock } from '../clock.ts'
import { LOOKS_PER_PASS, WATCHED_INVOICES } from '../limits.ts'
import type { Log } from '../log.ts'
import type { Sql } from '../store/database.ts'
import { noteUnpaid, readWatched, type SeenPayment, takeDueLooks } from '../store/invoices.ts'
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
  let alarm = new AbortController()
  let loop: Promise<void> | undefined
  const looks = new Map<string, Promise<boolean>>()

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
    if (!(await takeTurn(sql, 'payment-watch', options.holder, turnSeconds))) {
      return { asked: 0, paid: 0 }
    }
    const watched = await readWatched(sql, WATCHED_INVOICES)
    const amounts = new Map(watched.map((w) => [w.paymentHash, w.amountSats]))
    let paid = 0
    if (watched.length > 0) {
      const said = await lightning.listIncoming([...amounts.keys()])
      const likely = [...said].flatMap(([paymentHash, state]) => {
        const amountSats = amounts.get(paymentHash)
        return state === 'paid' && amountSats !== undefined ? [{ paymentHash, amountSats }] : []
      })
      const found = await Promise.all(likely.map(look))
      paid += found.filter(Boolean).length
    }
    const due = await takeDueLooks(sql, LOOKS_PER_PASS)
    const found = await Promise.all(due.map(look))
    return { asked: watched.length, paid: paid + found.filter(Boolean).length }
  }

  /** The authoritative look at one hash; concurrent reasons to look share it. True when it is paid. */
  function look({ paymentHash, amountSats }: { paymentHash: string; amountSats: number }) {
    const running = looks.get(paymentHash)
    if (running) return running
    const fresh = lookOnce(paymentHash, amountSats).finally(() => looks.delete(paymentHash))
    looks.set(paymentHash, fresh)
    return fresh
  }

  async function lookOnce(paymentHash: string, amountSats: number): Promise<boolean> {
    const seen: IncomingState = await lightning.lookupIncoming(paymentHash, amountSats)
    if (seen.state === 'paid') {
      const { amountSats: cameSats, feeSats } = seen
      await options.paid({ paymentHash, amountSats: cameSats, feeSats })
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

/** Longer than a pass may take, so that the turn does not wander while LNbits is slow. */
const turnSeconds = 15
