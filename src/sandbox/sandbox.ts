import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { Clock } from '../clock.ts'
import { type PlayLnbits, startPlayLnbits } from './lnbits.ts'
import { readWallets } from './lnbits-books.ts'
import { type SandboxRelay, startRelay } from './relay.ts'

/** Play money of the one customer that `tithe ask` is, sats. */
export const CUSTOMER_SATS = 100_000
export const CUSTOMER_NAME = 'customer'

export interface Sandbox {
  relay: SandboxRelay
  lnbits: PlayLnbits
  stop(): Promise<void>
}

/** What `tithe ask` in another terminal needs to find the running sandbox; play money and loopback only. */
export interface SandboxFile {
  bot: string
  relay: string
  lnbitsUrl: string
  customerAdminKey: string
}

const lnbitsFile = (dataDir: string): string => join(dataDir, 'lnbits.json')
export const sandboxFile = (dataDir: string): string => join(dataDir, 'sandbox.json')

export interface SandboxOptions {
  dataDir: string
  relayPort: number
  lnbitsPort: number
  clock: Clock
}

/** Starts the sandbox relay and the play-money LNbits, whose books outlive a restart as a real one's would. */
export async function startSandbox(options: SandboxOptions): Promise<Sandbox> {
  const { dataDir, clock } = options
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const relay = await startRelay({ port: options.relayPort, clock })
  try {
    const lnbits = await startPlayLnbits({
      port: options.lnbitsPort,
      file: lnbitsFile(dataDir),
      seedWallets: [{ name: CUSTOMER_NAME, balanceSats: CUSTOMER_SATS }],
      clock,
    })
    return {
      relay,
      lnbits,
      async stop() {
        await Promise.all([relay.stop(), lnbits.stop()])
      },
    }
  } catch (error) {
    await relay.stop()
    throw error
  }
}

/** How the bot's own wallet is looked at from outside; undefined where no sandbox has run. */
export function readBotPurse(dataDir: string): { url: string; invoiceKey: string } | undefined {
  try {
    const { lnbitsUrl } = purseShape.parse(JSON.parse(readFileSync(sandboxFile(dataDir), 'utf8')))
    const bot = readWallets(lnbitsFile(dataDir)).find(({ name }) => name === 'bot')
    return bot && { url: lnbitsUrl, invoiceKey: bot.invoiceKey }
  } catch {
    return undefined
  }
}

const purseShape = z.object({ lnbitsUrl: z.string() })

export function writeSandboxFile(dataDir: string, facts: SandboxFile): void {
  const path = sandboxFile(dataDir)
  writeFileSync(path, `${JSON.stringify(facts, null, 2)}\n`, { mode: 0o600 })
  chmodSync(path, 0o600)
}
