import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import {
  type CommandContext,
  CommandError,
  type ExitStatus,
  inSats,
  withProgress,
} from '../command.ts'
import type { Config } from '../config.ts'
import { readMessage } from '../doors/requests.ts'
import { readOrMakeKey, readSecretKey } from '../key-file.ts'
import { loadCurve } from '../nostr/curve.ts'
import { createIdentity, npub, parsePubkey } from '../nostr/identity.ts'
import { createCustomer, type Customer } from './customer.ts'
import { type Heard, readHeard } from './heard.ts'
import { payFromWallet } from './payer.ts'
import { sandboxFile } from './sandbox.ts'
import { showSaid } from './script.ts'

export interface AskOptions {
  text: string
  /** The bot, npub or hex; the running sandbox's or the configured one when absent. */
  to?: string
  /** Pays without asking. */
  yes?: boolean
  /** Speaks JSON with the bot and prints each of its messages as one line. */
  json?: boolean
  /** Longest wait for the next message; paying a real invoice takes a person a while. */
  timeoutSeconds?: number
  signal: AbortSignal
}

/** Where the bot is and how to reach it. */
interface Bot {
  pubkey: string
  name: string
  relays: readonly string[]
  /** Play money to pay with, in the sandbox. */
  purse: { url: string; adminKey: string } | undefined
}

const SANDBOX_TIMEOUT_SECONDS = 180
/** Longer than an invoice lives by default, so that its end is heard too. */
const REAL_TIMEOUT_SECONDS = 660
const SANDBOX_CONNECT_MS = 3_000
const REAL_CONNECT_MS = 15_000

const sandboxShape = z.object({
  bot: z.string(),
  relay: z.string(),
  lnbitsUrl: z.string(),
  customerAdminKey: z.string(),
})

/**
 * Sends one message as a customer with a key of its own and follows the conversation to its end:
 * shows the invoice, pays it in the sandbox after a yes, prints the result.
 */
export async function ask(context: CommandContext, options: AskOptions): Promise<ExitStatus> {
  const { config, clock, log, terminal } = context
  if (options.text.trim() === '')
    throw new CommandError('Write what you want to ask.', { status: 2 })
  const bot = await findBot(config, options.to)
  const customer = await createCustomer({
    secret: readOrMakeKey(join(config.dataDir, 'customer.key')),
    bot: bot.pubkey,
    relays: bot.relays,
    clock,
    log,
  })
  try {
    const connectMs = bot.purse ? SANDBOX_CONNECT_MS : REAL_CONNECT_MS
    if (!(await customer.begin(connectMs))) throw unreachable(config, bot)
    if (!options.json) terminal.tell(`You are ${npub(customer.pubkey)}.`)
    return await converse({ ...context, customer, bot, options })
  } finally {
    await customer.stop()
  }
}

async function findBot(config: Config, to: string | undefined): Promise<Bot> {
  const named = to === undefined ? undefined : readBotKey(to)
  if (config.mode === 'sandbox') {
    const { bot, relay, lnbitsUrl, customerAdminKey } = readSandbox(config.dataDir)
    return {
      pubkey: named ?? bot,
      name: config.nostr.botName,
      relays: [relay],
      purse: { url: lnbitsUrl, adminKey: customerAdminKey },
    }
  }
  const { relays, botName } = config.nostr
  if (named !== undefined) return { pubkey: named, name: 'bot', relays, purse: undefined }
  const { curve } = await loadCurve()
  const { pubkey } = createIdentity(curve, readSecretKey(config))
  return { pubkey, name: botName, relays, purse: undefined }
}

function readBotKey(text: string): string {
  try {
    return parsePubkey(text)
  } catch (cause) {
    const rule = cause instanceof Error ? cause.message : 'it cannot be read'
    throw new CommandError(`--to names the bot: ${rule}.`, { status: 2, cause })
  }
}

const START = 'Start it in another terminal with: npm start'

function readSandbox(dataDir: string): z.infer<typeof sandboxShape> {
  try {
    return sandboxShape.parse(JSON.parse(readFileSync(sandboxFile(dataDir), 'utf8')))
  } catch (cause) {
    throw new CommandError(`No sandbox has run in ${dataDir} yet. ${START}`, { cause })
  }
}

function unreachable(config: Config, { relays }: Bot): CommandError {
  return new CommandError(
    config.mode === 'sandbox'
      ? `No sandbox is running: nothing answers at ${relays.join(', ')}. ${START}`
      : `None of the relays answers: ${relays.join(', ')}. Look at RELAYS and the network.`,
  )
}

interface Conversation extends CommandContext {
  customer: Customer
  bot: Bot
  options: AskOptions
}

async function converse(talk: Conversation): Promise<ExitStatus> {
  const { customer, bot, options, terminal, clock } = talk
  const { text, json = false, signal } = options
  let lastAt = clock.now()
  const show = (who: string, said: string, part: 'bot' | 'customer' | 'deed', afterMs?: number) => {
    if (!json)
      showSaid(terminal, { who, text: said, part, ...(afterMs === undefined ? {} : { afterMs }) })
  }
  show('you', text, 'customer')
  const about = await customer.say(json ? asProgram(text) : text)
  if (about === undefined) throw new CommandError('No relay took the message. Try again.')
  while (true) {
    const hearing = customer.hear(about, timeoutMs(talk), signal)
    const letter = await (json ? hearing : withProgress(talk, `Waiting for ${bot.name}…`, hearing))
    if (!letter) return silence(talk)
    const heard = readHeard(letter.text)
    if (json) terminal.print(oneLine(letter.text))
    show(bot.name, letter.text, 'bot', letter.at - lastAt)
    lastAt = clock.now()
    if (heard.kind === 'answer') return 0
    if (heard.kind === 'no') return 1
    if (heard.invoice) {
      const paid = await settleInvoice(talk, heard.invoice)
      if (paid === false) return 1
      if (paid) show('you', `paid ${inSats(heard.invoice.amountSats)}`, 'deed')
      lastAt = clock.now()
    }
  }
}

/** True: paid. False: it will not be. Undefined: somebody pays it elsewhere. */
async function settleInvoice(
  { bot, options, terminal, clock, log }: Conversation,
  invoice: NonNullable<Heard['invoice']>,
): Promise<boolean | undefined> {
  const amount = inSats(invoice.amountSats)
  if (!bot.purse) {
    terminal.tell(`Pay ${amount} with your wallet; waiting for it…`)
    return undefined
  }
  const question = `Pay ${amount} of play money?`
  const yes =
    options.yes || (options.json ? false : await terminal.confirm(question, options.signal))
  if (!yes) {
    terminal.tell(yes === undefined ? 'Not paid: add --yes to pay it.' : 'Not paid.')
    return false
  }
  const refusal = await payFromWallet({ ...bot.purse, clock, log }, invoice)
  if (refusal === undefined) return true
  throw new CommandError(`The play-money LNbits did not pay: ${refusal}.`)
}

function silence({ options, terminal, ...talk }: Conversation): ExitStatus {
  if (options.signal.aborted) return 1
  const seconds = timeoutMs({ options, ...talk }) / 1000
  terminal.tell(`No answer within ${seconds} s. Is the bot running, and does it read these relays?`)
  return 3
}

const timeoutMs = ({ options, bot }: Pick<Conversation, 'options' | 'bot'>): number =>
  1000 * (options.timeoutSeconds ?? (bot.purse ? SANDBOX_TIMEOUT_SECONDS : REAL_TIMEOUT_SECONDS))

/** The same request as the JSON door wants it; JSON that is written out stays as it is. */
export function asProgram(text: string): string {
  const message = readMessage(text)
  if (message.form === 'json') return text
  if ('command' in message) {
    const { name, ...fields } = message.command
    return JSON.stringify({ type: name, ...fields })
  }
  // What is wrong with it is for the bot to say.
  const [, command] = /^\/(\S*)/.exec(text.trim()) ?? []
  return JSON.stringify(command === undefined ? { type: 'job', request: text } : { type: command })
}

/** A script reads lines: whatever came is one, as JSON. */
function oneLine(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text))
  } catch {
    return JSON.stringify(text)
  }
}
