/** A line of a conversation: what somebody said, or a note of what was done beside it. */
export interface Line {
  by: 'customer' | 'bot' | 'note'
  text: string
  /** Time since the line before it, milliseconds. */
  afterMs?: number
}

/** One customer's conversation with the bot. */
export interface Chat {
  title: string
  customer: string
  bot: string
  lines: Line[]
}

/** What `tithe demo --json` prints, as much of it as is shown. */
interface Step {
  step?: string
  from?: string
  to?: string
  text?: string
  kind?: string
  afterMs?: number
  who?: string
  tier?: string
  amountSats?: number
  creditedSats?: number
  absorbedSats?: number
  done?: boolean
}

/** The step that ends each scene, and what the scene is called. */
const SCENES = new Map([
  ['paid', 'a new key, pays'],
  ['free', 'a trusted key, is served free'],
  ['partial', 'again, for more than is left free'],
  ['estimate', 'asks for the price alone'],
])

/**
 * The conversations of a run of the demo, from the lines it printed.
 * @throws Error when the run did not come to its end.
 */
export function readChats(printed: string): Chat[] {
  const steps = printed
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line): Step => JSON.parse(line))
  if (steps.at(-1)?.done !== true) throw new Error('the demo did not come to its end')
  const chats: Chat[] = []
  let lines: Line[] = []
  let names: { customer: string; bot: string } | undefined
  for (const step of steps) {
    if (step.step === 'message') names ??= { customer: step.from ?? '', bot: step.to ?? '' }
    lines.push(...linesOf(step, names?.bot))
    const title = SCENES.get(step.step ?? '')
    if (title === undefined || !names) continue
    chats.push({ title, ...names, lines })
    lines = []
    names = undefined
  }
  return chats
}

function linesOf(step: Step, bot: string | undefined): Line[] {
  const { text = '', afterMs, amountSats = 0, creditedSats = 0, absorbedSats = 0 } = step
  const time = afterMs === undefined ? {} : { afterMs }
  switch (step.step) {
    case 'message':
      if (step.from !== bot) return [{ by: 'customer', text }]
      return [{ by: 'bot', text: onScreen(text, step.kind), ...time }]
    case 'payment':
      return [{ by: 'note', text: `${step.who} pays ${sats(amountSats)} over Lightning` }]
    case 'grant':
      return [{ by: 'note', text: `The operator trusts this key: ${step.tier}` }]
    case 'paid':
      return [{ by: 'note', text: `Into the pool: ${sats(creditedSats)}, a tenth of what it cost` }]
    case 'free':
    case 'partial':
      return [{ by: 'note', text: `Out of the pool: ${sats(absorbedSats)}` }]
    case 'estimate':
      return [{ by: 'note', text: 'Not one row of the books changed' }]
    default:
      return []
  }
}

const sats = (amountSats: number): string => `${amountSats} ${amountSats === 1 ? 'sat' : 'sats'}`

/** Of a long result, its beginning is enough. */
const RESULT_CHARS = 210
/** Ends of an invoice that are shown. */
const [INVOICE_HEAD, INVOICE_TAIL] = [18, 6]

/** What changes with every run and nobody reads is shortened; a long result too, but not what it cost. */
function onScreen(text: string, kind: string | undefined): string {
  const short = text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) =>
      /^ln[a-z0-9]{50,}$/.test(line)
        ? `${line.slice(0, INVOICE_HEAD)}…${line.slice(-INVOICE_TAIL)}`
        : line,
    )
  const end = short.pop() ?? ''
  const body = short.join('\n')
  if (kind !== 'answer' || body.length <= RESULT_CHARS) return [...short, end].join('\n')
  const cut = body.slice(0, RESULT_CHARS).replace(/\s+\S*$/, '')
  return `${cut} …\n${end}`
}
