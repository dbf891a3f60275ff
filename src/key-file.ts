import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Config } from './config.ts'
import { generateSecretKey, parseSecretKey } from './nostr/identity.ts'

/**
 * The bot's secret key: from the setting, from the named file, or, in the sandbox only, generated once into the
 * data directory (0600). Throws with the setting's name and never shows the key.
 */
export function readSecretKey({ nostr, mode, dataDir }: Config): Uint8Array {
  if (nostr.secretKey) return parse('NOSTR_SECRET_KEY', nostr.secretKey.reveal())
  if (nostr.secretKeyFile !== undefined) {
    return parse('NOSTR_SECRET_KEY_FILE', readFileSync(nostr.secretKeyFile, 'utf8'))
  }
  if (mode !== 'sandbox') throw new Error('NOSTR_SECRET_KEY or NOSTR_SECRET_KEY_FILE is missing')
  return readOrMakeKey(join(dataDir, 'bot.key'))
}

/** A key of the sandbox, which is made on first use; play money hangs on it and nothing else. */
export function readOrMakeKey(path: string): Uint8Array {
  if (existsSync(path)) return parse(path, readFileSync(path, 'utf8'))
  const secret = generateSecretKey()
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  writeFileSync(path, `${Buffer.from(secret).toString('hex')}\n`, { mode: 0o600 })
  chmodSync(path, 0o600)
  return secret
}

function parse(source: string, text: string): Uint8Array {
  try {
    return parseSecretKey(text)
  } catch (error) {
    throw new Error(`${source}: ${error instanceof Error ? error.message : 'not a secret key'}`)
  }
}
