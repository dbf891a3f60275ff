import { readFileSync, readdirSync } from 'node:fs'
import { extname, join } from 'node:path'
import { npub } from '../nostr/identity.ts'
import type { PageFile } from './http.ts'

const DIR = join(import.meta.dirname, 'page')

const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
}

/**
 * The status page by path, read once into memory, and `bot.json` beside it, which tells the page whose status to
 * ask which relays for. Any web host may serve the same files.
 */
export function readPage({
  identity,
  relays,
}: {
  identity: { pubkey: string }
  relays: readonly string[]
}): Map<string, PageFile> {
  const files = new Map<string, PageFile>()
  for (const name of readdirSync(DIR)) {
    const contentType = types[extname(name)]
    if (contentType) files.set(`/${name}`, { contentType, body: readFileSync(join(DIR, name)) })
  }
  const index = files.get('/index.html')
  if (index) files.set('/', index)
  // A relay's path may hold an access token, and the page is for everybody.
  const open = relays.filter((url) => URL.parse(url)?.pathname === '/')
  const body = `${JSON.stringify({ npub: npub(identity.pubkey), relays: open })}\n`
  files.set('/bot.json', { contentType: 'application/json; charset=utf-8', body })
  return files
}
