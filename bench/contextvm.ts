import { execFileSync, fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createIdentity, generateSecretKey } from '../src/nostr/identity.ts'
import { loadCurve } from '../src/nostr/curve.ts'
import { percentile, tell } from './figures.ts'
import { firstMessage, type World } from './stage.ts'

const HERE = import.meta.dirname
const INSTALL_MS = 300_000

/**
 * Calls of the ContextVM SDK's paid server that get their invoice, a second, with a relay, a play-money LNbits and
 * as many customers on the same machine: what a DM to its invoice is here. Each measurement has a server of its
 * own, which is gone afterwards: it goes on asking for every invoice that was not paid.
 */
export async function measureContextvm(options: {
  clients: number
  seconds: number
}): Promise<{ perSecond: number; p50Ms: number }> {
  const { curve } = await loadCurve()
  const secret = generateSecretKey()
  const world = fork(`${HERE}/stage-world.ts`, ['1'])
  const { relays, lnbitsUrl, invoiceKey } = (await firstMessage(world)) as World
  const [relay] = relays
  const privateKey = Buffer.from(secret).toString('hex')
  const quiet = { env: { PATH: process.env.PATH, LOG_ENABLED: 'false' } }
  const server = fork(
    `${HERE}/contextvm-server.js`,
    [JSON.stringify({ relay, lnbitsUrl, lnbitsApiKey: invoiceKey, privateKey })],
    quiet,
  )
  await firstMessage(server)
  const who = { relay, server: createIdentity(curve, secret).pubkey, ...options }
  const customers = fork(`${HERE}/contextvm-client.js`, [JSON.stringify(who)], quiet)
  const { count, seconds, times } = (await firstMessage(customers)) as Counted
  for (const child of [customers, server, world]) {
    const gone = once(child, 'exit')
    child.kill()
    await gone
  }
  return { perSecond: count / seconds, p50Ms: percentile(times, 0.5) }
}

interface Counted {
  count: number
  seconds: number
  times: number[]
}

/** Installs what `bench/package.json` names, once; false where that cannot be done. */
export function installContextvm(): boolean {
  if (existsSync(`${HERE}/node_modules/@contextvm/sdk`)) return true
  try {
    const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock']
    execFileSync('npm', args, { cwd: HERE, stdio: 'ignore', timeout: INSTALL_MS })
    return true
  } catch {
    tell('  the SDK could not be installed')
    return false
  }
}
