import { addUpBooks } from '../books.ts'
import { CommandError, type ExitStatus, grouped, inSats } from '../command.ts'
import { generateSecretKey } from '../nostr/identity.ts'
import type { Terminal } from '../terminal.ts'
import { countDone, ledgerHead, poolSats } from './demo-books.ts'
import { playEstimate, playFree, playPaid, playPartial, type Scene } from './demo-scenes.ts'
import { createShow, type Show } from './demo-show.ts'
import { type DemoParts, type Stage, setStage } from './demo-stage.ts'
import type { PoolReading } from './demo-subscriber.ts'

export interface DemoOptions extends DemoParts {
  terminal: Terminal
  json: boolean
  signal: AbortSignal
}

/** Longest wait for a pool status, milliseconds: changes are gathered for two seconds. */
const STATUS_MS = 10_000

/**
 * Plays four customers and a subscriber through a whole bot, and shows beside the conversation that
 * what is said is true. Leaves nothing behind. Status 1 when any step failed.
 */
export async function demo(options: DemoOptions): Promise<ExitStatus> {
  const { terminal, clock, json, signal } = options
  const show = createShow(terminal, clock, json)
  const startedAt = clock.now()
  let step = 'start'
  const play = async <T>(name: string, act: () => Promise<T>): Promise<T> => {
    step = name
    if (signal.aborted) throw new CommandError('stopped')
    return act()
  }
  let stage: Stage | undefined
  try {
    if (!json) terminal.print('Starting a database, a relay, an LNbits, a model and the bot…')
    stage = await play('start', () => setStage(options))
    const bootMs = clock.now() - startedAt
    showStage(show, stage, bootMs)
    await playAll({ ...options, stage, show, startedAt, bootMs }, play)
    return 0
  } catch (error) {
    if (signal.aborted) throw new CommandError('Stopped; nothing is left of it.', { cause: error })
    const why = (error instanceof Error ? error.message : String(error)).replace(/\.$/, '')
    if (json) terminal.print(JSON.stringify({ done: false, failedStep: step, why }))
    throw new CommandError(`The demo failed in the step "${step}": ${why}.`, { cause: error })
  } finally {
    await stage?.stop()
  }
}

type Play = <T>(name: string, act: () => Promise<T>) => Promise<T>

interface Playing extends DemoOptions, Scene {
  startedAt: number
  bootMs: number
}

async function playAll(scene: Playing, play: Play): Promise<void> {
  const { stage, show } = scene
  const { sql } = stage.daemon.ground
  const secret = generateSecretKey()
  const opening = await play('status before', () => readStatus(scene, 'before'))
  await play('paid', () => playPaid(scene))
  await play('free', () => playFree(scene, secret))
  await play('partial', () => playPartial(scene, secret))
  const estimates = await play('estimate', () => playEstimate(scene))
  show.scene('And the books')
  const closing = await play('status after', () => readStatus(scene, 'after'))
  await play('books', async () => {
    const { driftSats, breaches, balances } = await addUpBooks(sql)
    if (driftSats !== 0 || breaches.length > 0) {
      throw new CommandError(
        `the books are off by ${inSats(driftSats)}, ${breaches.length} rules broken`,
      )
    }
    const served = await countDone(sql)
    const ms = scene.clock.now() - scene.startedAt
    const { paint } = scene.terminal
    show.end({
      lines: [
        `Pool before: ${inSats(opening.balanceSats)}. Pool after: ${inSats(closing.balanceSats)}.`,
        `All accounts: ${inSats(balances.lightningSats)} on Lightning = ${grouped(balances.poolSats)} pool ` +
          `${signed(balances.operatorSats)} operator ${signed(balances.customersSats)} customers ` +
          `${signed(balances.holdsSats + balances.withdrawalsSats)} held. ` +
          paint('green', `Drift: ${inSats(driftSats)}.`),
        `${ms} ms, ${scene.bootMs} of them to start.`,
      ],
      fields: {
        done: true,
        paid: served.gate,
        free: served.free,
        partial: served.partial,
        estimate: estimates,
        pool: { before: opening.balanceSats, after: closing.balanceSats },
        driftSats,
        ms,
        bootMs: scene.bootMs,
      },
    })
  })
}

/** The subscriber's part: the signed pool status that shows the ledger as it is now. */
async function readStatus({ stage, show }: Scene, when: string): Promise<PoolReading> {
  const { sql } = stage.daemon.ground
  const head = await ledgerHead(sql)
  const status = await stage.subscriber.statusFrom(head, STATUS_MS)
  if (!status) throw new CommandError('no pool status came that shows the ledger')
  const trueSats = await poolSats(sql)
  if (status.balanceSats !== trueSats) {
    throw new CommandError(
      `the pool status says ${status.balanceSats} and the pool holds ${trueSats}`,
    )
  }
  const { seq, balanceSats, state, eventId } = status
  show.did({
    who: 'subscriber',
    text: `reads the bot's signed pool status ${when}: ${inSats(balanceSats)}, ${state}, number ${seq}`,
    step: 'status',
    fields: { when, seq, balanceSats, state, eventId, verified: true },
  })
  return status
}

function showStage(show: Show, { daemon }: Stage, ms: number): void {
  const { stack, npub, relays } = daemon
  show.shown({
    step: 'start',
    text:
      `${stack.database}, a relay at ${relays.join(' ')}, LNbits at ${stack.lnbits}, ` +
      `${stack.curve} curve, all in ${ms} ms. The bot is ${npub}.`,
    fields: {
      npub,
      relays,
      lnbitsUrl: stack.lnbits,
      database: stack.database,
      curve: stack.curve,
      ms,
    },
  })
}

const signed = (sats: number): string => (sats < 0 ? `− ${grouped(-sats)}` : `+ ${grouped(sats)}`)
