import { CommandError, grouped, inSats } from '../command.ts'
import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import type { Job } from '../store/jobs.ts'
import { setGrantedTier } from '../store/customers.ts'
import { checksumOf, grantOf, lastJobOf, poolSats } from './demo-books.ts'
import type { Show } from './demo-show.ts'
import type { Actor, Stage } from './demo-stage.ts'
import { type Heard, readHeard } from './heard.ts'
import { payFromWallet } from './payer.ts'

/** What a scene plays on and whom it tells. */
export interface Scene {
  stage: Stage
  show: Show
  clock: Clock
  log: Log
  signal: AbortSignal
}

/** Longest wait for a message of the bot, milliseconds: it takes tens of them. */
const HEAR_MS = 15_000
/** A message that comes out of turn is waited for no longer. */
const LATE_MS = 2_000

/** A stranger pays for work. */
export async function playPaid(scene: Scene): Promise<void> {
  const { stage, show } = scene
  show.scene('A new key asks, pays and is served')
  const nadia = await stage.enter('Nadia', { walletSats: 1_000 })
  const before = await poolSats(sqlOf(stage))
  await talk(scene, nadia, 'What is a satoshi?')
  const job = await doneJob(stage, nadia)
  expectThat(job.serve === 'gate' && job.paidFrom === 'invoice', 'the job was paid by invoice')
  expectThat(job.reservedSats === 0, 'a new key got nothing from the pool')
  const creditedSats = (await poolSats(sqlOf(stage))) - before
  const netSats = job.paidSats - job.refundSats
  expectThat(creditedSats === Math.floor(netSats / 10), 'a tenth of the net charge is in the pool')
  show.shown({
    step: 'paid',
    text: `Of the ${inSats(netSats)} she paid in the end, ${inSats(creditedSats)} went into the pool.`,
    fields: { ...figuresOf(job), creditedSats },
  })
}

/** A granted key is served by the pool, which pays before the work. Answers whose key it is. */
export async function playFree(scene: Scene, secret: Uint8Array): Promise<void> {
  const { stage, show } = scene
  show.scene('A key that the operator trusts is served free')
  const tariq = await stage.enter('Tariq', { secret })
  await setGrantedTier(sqlOf(stage), tariq.customer.pubkey, 'trusted', 'granted')
  show.did({
    who: 'operator',
    text: 'tithe tier set npub… trusted',
    step: 'grant',
    fields: { tier: 'trusted' },
  })
  const before = await poolSats(sqlOf(stage))
  await talk(scene, tariq, 'What does a gift wrap hide?')
  const job = await doneJob(stage, tariq)
  const atWork = stage.poolAtWork()
  expectThat(job.serve === 'free' && job.paidSats === 0, 'the job was free')
  expectThat(
    atWork === before - job.reservedSats,
    'the pool was debited before the model was called',
  )
  const after = await poolSats(sqlOf(stage))
  expectThat(after === before - job.absorbedSats, 'the pool paid what the work cost')
  show.shown({
    step: 'free',
    text:
      `When the model was called, the pool had already gone from ${grouped(before)} to ${inSats(atWork)}; ` +
      `what the work did not cost came back: ${inSats(after)}.`,
    fields: { ...figuresOf(job), poolSats: { before, atWork, after } },
  })
}

/** The same key asks for more than its room: the pool pays a part, the customer the rest. */
export async function playPartial(scene: Scene, secret: Uint8Array): Promise<void> {
  const { stage, show } = scene
  show.scene('The same key, from another device, asks for more than its room')
  const phone = await stage.enter('Tariq', { secret, walletSats: 1_000 })
  const before = await poolSats(sqlOf(stage))
  await talk(scene, phone, '/model thorough Tell me a bedtime story about a lighthouse.')
  const job = await doneJob(stage, phone)
  const grantedSats = await grantOf(sqlOf(stage), job.id)
  expectThat(job.serve === 'partial' && job.paidSats > 0, 'the job was paid in part')
  expectThat(job.absorbedSats > 0 && grantedSats === job.absorbedSats, 'its grant was recorded')
  const after = await poolSats(sqlOf(stage))
  show.shown({
    step: 'partial',
    text:
      `The grant is on record: the pool paid ${inSats(job.absorbedSats)}, ` +
      `he paid ${inSats(job.paidSats - job.refundSats)}.`,
    fields: { ...figuresOf(job), grantedSats, poolSats: { before, after } },
  })
}

/** Somebody only asks for a price, and nothing changes. Answers how many prices were told. */
export async function playEstimate(scene: Scene): Promise<number> {
  const { stage, show } = scene
  show.scene('A key only asks what it would cost')
  const esther = await stage.enter('Esther')
  const before = await checksumOf(sqlOf(stage))
  const heard = await talk(scene, esther, '/estimate What is a satoshi?')
  const after = await checksumOf(sqlOf(stage))
  expectThat(before.sha256 === after.sha256, 'an estimate changes no row')
  show.shown({
    step: 'estimate',
    text:
      `Not one row changed: ${after.tables} tables, ${after.rows} rows, ` +
      `checksum ${before.sha256.slice(0, 12)} before and ${after.sha256.slice(0, 12)} after.`,
    fields: {
      tables: after.tables,
      rows: after.rows,
      sha256: { before: before.sha256, after: after.sha256 },
    },
  })
  return heard.filter(({ kind }) => kind === 'answer').length
}

/** One message and all that comes of it, invoices paid. Throws when it does not end in an answer. */
async function talk(scene: Scene, actor: Actor, text: string): Promise<Heard[]> {
  const { stage, show, clock, signal } = scene
  const { name, customer } = actor
  show.said({ from: name, to: stage.botName, text, part: 'customer', at: clock.now() })
  const about = await customer.say(text)
  if (about === undefined) throw new CommandError(`no relay took the message of ${name}`)
  const heard: Heard[] = []
  const hear = async (ms: number) => {
    const letter = await customer.hear(about, ms, signal)
    if (!letter) return undefined
    show.said({ from: stage.botName, to: name, text: letter.text, part: 'bot', at: letter.at })
    const read = readHeard(letter.text)
    heard.push(read)
    return read
  }
  while (!heard.some(({ kind }) => kind === 'answer')) {
    const read = await hear(HEAR_MS)
    if (!read) throw new CommandError(`${stage.botName} did not answer ${name} in time`)
    if (read.kind === 'no') throw new CommandError(`${stage.botName} said no to ${name}`)
    if (read.invoice) await pay(scene, actor, read.invoice)
  }
  // Two messages may overtake each other; the one of a job at work is part of the play.
  if (!text.startsWith('/estimate') && !heard.some(({ kind }) => kind === 'progress')) {
    await hear(LATE_MS)
  }
  return heard
}

async function pay(
  { stage, show, clock, log }: Scene,
  { name, wallet }: Actor,
  invoice: NonNullable<Heard['invoice']>,
): Promise<void> {
  const { amountSats } = invoice
  if (!wallet) throw new CommandError(`${name} was asked for ${inSats(amountSats)}`)
  const { lnbits: url } = stage.daemon.stack
  const refusal = await payFromWallet({ url, adminKey: wallet.adminKey, clock, log }, invoice)
  if (refusal !== undefined) throw new CommandError(`LNbits did not pay: ${refusal}`)
  const text = `pays ${inSats(amountSats)} through the API of LNbits`
  show.did({ who: name, text, step: 'payment', fields: { amountSats } })
}

const sqlOf = (stage: Stage) => stage.daemon.ground.sql

async function doneJob(stage: Stage, { name, customer }: Actor): Promise<Job> {
  const job = await lastJobOf(sqlOf(stage), customer.pubkey)
  if (job?.state !== 'done') throw new CommandError(`the job of ${name} is ${job?.state}`)
  return job
}

const figuresOf = (job: Job) => ({
  jobId: String(job.id),
  serve: job.serve,
  estimatedSats: job.estimatedSats,
  reservedSats: job.reservedSats,
  paidSats: job.paidSats,
  actualSats: job.actualSats,
  absorbedSats: job.absorbedSats,
  refundSats: job.refundSats,
})

/** A claim of the demo that has to be true, or the demo has failed. */
function expectThat(holds: boolean, claim: string): void {
  if (!holds) throw new CommandError(`it is not so that ${claim}`)
}
