import { systemClock, unixSeconds } from '../../../src/clock.ts'
import type { Identity } from '../../../src/nostr/types.ts'
import { setGrantedTier } from '../../../src/store/customers.ts'
import type { NodeBehaviour } from '../../../src/sandbox/lnbits-node.ts'
import { answer, raw, silence, status } from '../../support/chat-server.ts'
import type { Heard } from '../../support/checkers.ts'
import { farInvoice } from '../../support/far-invoice.ts'
import { rawCall } from '../../support/lnbits-raw.ts'
import type { Mailbag } from '../../support/mailbag.ts'
import type { Seeded } from '../../support/seeded.ts'
import type { Post } from './post.ts'
import { steadily, type World } from './world.ts'

interface Street {
  world: World
  post: Post
  mail: Mailbag
  random: Seeded
  isOver: () => boolean
}

/** How long a customer waits for anything before it goes away and lets the bot see to the rest. */
const PATIENCE_MS = 20_000
const LOOK_MS = 100

/** One customer: asks, pays, waits, goes away, and begins again. */
export async function live(street: Street, identity: Identity, n: number): Promise<void> {
  const { world, post, mail, random, isOver } = street
  const urls = world.relays.map(({ url }) => url)
  await post.send(mail.relayList(identity, urls, unixSeconds(systemClock)))
  const tier = [undefined, 'trusted', 'established'] as const
  const granted = tier[n % tier.length]
  if (granted) await steadily(() => setGrantedTier(world.sql, identity.pubkey, granted, 'granted'))
  const habits = [buyJob, buyJob, buyJob, session, donate, payLate, changeMind, question]
  while (!isOver()) await random.pick(habits)(new Talker(street, identity))
}

class Talker {
  readonly street: Street
  readonly #identity: Identity

  constructor(street: Street, identity: Identity) {
    this.street = street
    this.#identity = identity
  }

  async ask(request: Record<string, unknown> & { type: string }): Promise<string> {
    const { mail, post } = this.street
    const at = unixSeconds(systemClock)
    const wrap = mail.write(this.#identity, request, { at })
    const { rumorId } = mail.asked.at(-1) ?? { rumorId: '' }
    await post.send(wrap)
    return rumorId
  }

  /** The first reply of one of these types; undefined when patience is over. */
  async hears(about: string, ...types: string[]): Promise<Heard['reply'] | undefined> {
    const until = systemClock.now() + PATIENCE_MS
    for (;;) {
      const found = this.street.post.about(about).find(({ reply }) => types.includes(reply.type))
      if (found) return found.reply
      if (systemClock.now() > until) return undefined
      await systemClock.sleep(LOOK_MS)
    }
  }

  /** Pays from another wallet, or from outside, heard by LNbits or not. */
  async pay({ bolt11 }: Heard['reply']): Promise<void> {
    const { play } = this.street.world
    const { random } = this.street
    const row = play.books().find((one) => one.bolt11 === bolt11)
    if (row?.status !== 'pending') return
    if (random.int(4) === 0) {
      const how = { announced: random.int(2) === 0, feeMsat: random.int(3) * 700 }
      return play.payFromOutside(row.paymentHash, how)
    }
    const key = play.wallet('payer')?.adminKey ?? ''
    for (let tries = 0; tries < 5; tries += 1) {
      const paid = await rawCall(play.url, '/payments', { key, body: { out: true, bolt11 } }).catch(
        () => undefined,
      )
      // 520 is LNbits' word as well: paid already, or cancelled, or out of time.
      if (paid?.status === 201 || paid?.status === 520) return
      await systemClock.sleep(300)
    }
  }

  /** How the backend treats the next request, whosever it is. */
  prepareBackend(): void {
    const { chat } = this.street.world
    const { random } = this.street
    const text = 'a satoshi is the smallest unit'
    const late = async (ms: number) => systemClock.sleep(ms)
    const scripts = [
      answer([text]),
      answer(text.split(' ')),
      async (...given: Parameters<ReturnType<typeof answer>>) => {
        await late(random.int(1_500))
        await answer([text])(...given)
      },
      status(500, '{}'),
      status(400, '{}'),
      raw(['data: {"choices"'], 'tear'),
      silence,
    ]
    const usual = random.int(3) > 0
    chat.next(usual ? (scripts[0] ?? silence) : random.pick(scripts))
  }
}

const request = (random: Seeded) => `what is a satoshi, for the ${random.int(1_000)}th time?`

async function buyJob(talker: Talker): Promise<void> {
  const { random } = talker.street
  talker.prepareBackend()
  const id = await talker.ask({ type: 'job', request: request(random) })
  const first = await talker.hears(id, 'invoice', 'result', 'failed', 'refused')
  if (first?.type !== 'invoice') return
  await systemClock.sleep(random.int(400))
  await talker.pay(first)
  await talker.hears(id, 'result', 'failed', 'expired', 'balance')
}

/** Buys a balance, spends some of it and takes the rest out. */
async function session(talker: Talker): Promise<void> {
  const { random, world } = talker.street
  const id = await talker.ask({ type: 'topup', sats: 1_000 + random.int(1_000) })
  const invoice = await talker.hears(id, 'invoice', 'refused')
  if (invoice?.type !== 'invoice') return
  await talker.pay(invoice)
  if (!(await talker.hears(id, 'balance'))) return
  const jobs = Array.from({ length: random.int(3) }, async () => {
    talker.prepareBackend()
    const job = await talker.ask({ type: 'job', request: request(random) })
    await talker.hears(job, 'result', 'failed', 'refused', 'invoice')
  })
  await Promise.all(jobs)
  const { bolt11, paymentHash } = farInvoice(300 + random.int(400))
  world.play.node.script(paymentHash, random.pick(payouts))
  const withdrawal = await talker.ask({ type: 'withdraw', to: bolt11 })
  await talker.hears(withdrawal, 'withdrawal', 'refused')
}

/** How the Lightning network treats a payout. Each ends, though not at once. */
const payouts: NodeBehaviour[] = [
  { kind: 'ok', feeMsat: 1_500 },
  { kind: 'ok' },
  { kind: 'slow', ms: 1_500, feeMsat: 999 },
  { kind: 'noRoute' },
  { kind: 'unknownPaid', feeMsat: 2_001 },
]

async function donate(talker: Talker): Promise<void> {
  const id = await talker.ask({ type: 'donate', sats: 50 })
  const invoice = await talker.hears(id, 'invoice', 'refused')
  if (invoice?.type !== 'invoice') return
  await talker.pay(invoice)
  await talker.hears(id, 'pool')
}

/** Never pays, or only when it is too late. */
async function payLate(talker: Talker): Promise<void> {
  const { random } = talker.street
  const id = await talker.ask({ type: 'job', request: request(random) })
  const invoice = await talker.hears(id, 'invoice', 'result', 'refused')
  if (invoice?.type !== 'invoice') return
  if (!(await talker.hears(id, 'expired'))) return
  if (random.int(2) === 0) await talker.pay(invoice)
}

async function changeMind(talker: Talker): Promise<void> {
  const { random } = talker.street
  const id = await talker.ask({ type: 'job', request: request(random) })
  const invoice = await talker.hears(id, 'invoice', 'result', 'refused')
  if (invoice?.type !== 'invoice') return
  const cancel = await talker.ask({ type: 'cancel', jobId: String(invoice.jobId) })
  if (random.int(3) === 0) await talker.pay(invoice)
  await talker.hears(cancel, 'job', 'refused')
}

async function question(talker: Talker): Promise<void> {
  const type = talker.street.random.pick(['why', 'balance', 'jobs', 'help'])
  const id = await talker.ask({ type })
  await talker.hears(id, type)
}
