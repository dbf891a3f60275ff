import { systemClock } from '../../src/clock.ts'
import type { CommandContext } from '../../src/command.ts'
import { readConfig } from '../../src/config.ts'
import { silentLog } from '../../src/log.ts'
import type { Terminal } from '../../src/terminal.ts'

/** A terminal that keeps what is written, without colours and with nobody at the keyboard. */
export interface KeptTerminal extends Terminal {
  readonly printed: string[]
  readonly told: string[]
}

export function keptTerminal(): KeptTerminal {
  const printed: string[] = []
  const told: string[] = []
  return {
    ...{ printed, told },
    print: (text) => void printed.push(text),
    tell: (text) => void told.push(text),
    clear() {},
    paint: (_, text) => text,
    isAttended: false,
    columns: 100,
    ask: async () => undefined,
    confirm: async () => undefined,
  }
}

/** Settings of a bot that deals in real sats; none of its addresses answers. */
export const realSettings = (databaseUrl: string): Record<string, string> => ({
  DATABASE_URL: databaseUrl,
  NOSTR_SECRET_KEY: '01'.repeat(32),
  RELAYS: 'ws://127.0.0.1:9',
  LNBITS_URL: 'http://127.0.0.1:9',
  LNBITS_INVOICE_KEY: 'an-invoice-key',
  BACKEND: 'echo',
  MODELS: '[{"name":"echo","satsPerRequest":21}]',
})

/** What a command is given, on this database. */
export function commandOn(databaseUrl: string): CommandContext & { terminal: KeptTerminal } {
  const read = readConfig(realSettings(databaseUrl))
  if (!read.ok) throw new Error(read.problems.map(({ problem }) => problem).join())
  return { config: read.config, clock: systemClock, log: silentLog, terminal: keptTerminal() }
}
