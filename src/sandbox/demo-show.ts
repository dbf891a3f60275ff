import type { Clock } from '../clock.ts'
import { inSats } from '../command.ts'
import type { Terminal } from '../terminal.ts'
import { type Heard, readHeard } from './heard.ts'
import { shortened, shortInvoice, showSaid } from './script.ts'

/** How the demo is told: to a person as a play, to a script as one JSON object per step. */
export interface Show {
  scene(title: string): void
  /** A message, as it was sent or as it arrived. `at`: when, Unix milliseconds. */
  said(message: {
    from: string
    to: string
    text: string
    part: 'bot' | 'customer'
    at: number
  }): void
  /** Something done beside the conversation. */
  did(deed: { who: string; text: string; step: string; fields: object }): void
  /** Something that was looked up and holds. */
  shown(proof: { text: string; step: string; fields: object }): void
  /** The last lines. */
  end(end: { lines: string[]; fields: object }): void
}

/** Of a long result, its beginning is enough. */
const TEXT_CHARS = 300

export function createShow(terminal: Terminal, clock: Clock, json: boolean): Show {
  let lastAt: number | undefined
  /** Nothing for what begins a scene. */
  const since = (at: number): { afterMs?: number } => {
    const time = lastAt === undefined ? {} : { afterMs: at - lastAt }
    lastAt = at
    return time
  }
  if (json) {
    const line = (fields: object) => terminal.print(JSON.stringify(fields))
    return {
      scene: () => {
        lastAt = undefined
      },
      said({ from, to, text, part, at }) {
        const heard = part === 'bot' ? satsOf(readHeard(text)) : {}
        line({ step: 'message', from, to, text, ...heard, ...since(at) })
      },
      did: ({ who, step, fields }) => line({ step, who, ...fields, ...since(clock.now()) }),
      shown: ({ step, fields }) => line({ step, ...fields }),
      end: ({ fields }) => line(fields),
    }
  }
  return {
    scene(title) {
      terminal.print(`\n${terminal.paint('bold', title)}`)
      lastAt = undefined
    },
    said: ({ from, text, part, at }) =>
      showSaid(terminal, { who: from, text: onScreen(text), part, ...since(at) }),
    did: ({ who, text }) => showSaid(terminal, { who, text, ...since(clock.now()) }),
    shown: ({ text }) => showSaid(terminal, { who: '✓', text }),
    end: ({ lines }) => {
      for (const line of ['', ...lines]) terminal.print(line)
    },
  }
}

/** Nobody pays by hand here, so an invoice is shown by its ends; a long text by its beginning. */
function onScreen(text: string): string {
  const { invoice } = readHeard(text)
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  if (invoice) {
    const short = `${shortInvoice(invoice.bolt11)}  (${inSats(invoice.amountSats)})`
    return lines.map((line) => (line === invoice.bolt11 ? short : line)).join('\n')
  }
  const footer = lines.length > 1 ? lines.at(-1) : undefined
  const body = footer === undefined ? lines.join('\n') : lines.slice(0, -1).join('\n')
  return [shortened(body, TEXT_CHARS), ...(footer === undefined ? [] : [footer])].join('\n')
}

const satsOf = ({ kind, invoice }: Heard): object =>
  invoice ? { kind, amountSats: invoice.amountSats } : { kind }
