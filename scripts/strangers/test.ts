import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/**
 * `npm run test:relays`: the strangers' suite on rust-nostr's own relay as well, which is on PyPI and not on npm;
 * once as it is and once with AUTH. Exit status 69 and a sentence where there is no Python or no PyPI.
 */
const UNAVAILABLE = 69
const PACKAGE = 'nostr-sdk==0.45.1'
const RELAY = join(import.meta.dirname, 'relay.py')

const home = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'tithe', PACKAGE)
const python = join(home, 'bin/python')

function install(): boolean {
  if (existsSync(join(home, 'complete'))) return true
  mkdirSync(home, { recursive: true })
  const steps: [string, string[]][] = [
    ['python3', ['-m', 'venv', home]],
    [python, ['-m', 'pip', 'install', '--no-input', '--quiet', PACKAGE]],
    [python, ['-c', `import nostr_sdk; open(${JSON.stringify(join(home, 'complete'))}, 'w')`]],
  ]
  return steps.every(([program, args]) => spawnSync(program, args).status === 0)
}

async function startRelay(args: string[]): Promise<{ url: string; child: ChildProcess }> {
  const child = spawn(python, [RELAY, ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
  const [url] = await once(createInterface({ input: child.stdout }), 'line')
  return { url: String(url), child }
}

async function main(): Promise<number> {
  if (!install()) {
    process.stderr.write('test:relays: needs Python 3 with its venv module, and PyPI; not run\n')
    return UNAVAILABLE
  }
  const relays = [await startRelay([]), await startRelay(['auth'])]
  const [plain, auth] = relays
  const named = { 'rust-nostr': plain?.url, 'rust-nostr with AUTH': auth?.url }
  const { status } = spawnSync('vitest', ['run', 'test/daemon/strangers.test.ts'], {
    stdio: 'inherit',
    env: { ...process.env, TEST_RELAYS: JSON.stringify(named) },
  })
  for (const { child } of relays) child.kill()
  return status ?? 1
}

process.exitCode = await main()
