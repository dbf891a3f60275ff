import { decode } from 'nostr-tools/nip19'
import { type Event, verifyEvent } from 'nostr-tools/pure'

// Follows the pool status of a bot: node examples/read-pool-status.ts NPUB wss://relay…
// Prints a line for each newer status, and one when the latest has become stale. Relays are not trusted.

const [npub = '', ...relays] = process.argv.slice(2)
const decoded = decode(npub)
if (decoded.type !== 'npub') throw new Error('the first argument is the npub of the bot')
const bot = decoded.data
const D = 'tithe/pool-status'
let latest: Event | undefined
let latestSeq = 0

const say = (line: string) => process.stdout.write(`${line}\n`)
const tag = (event: Event, name: string) => event.tags.find((t) => t[0] === name)?.[1] ?? ''

/** Of the bot, signed, and newer than what is known: a relay may send anything, and anything twice. */
function isNews(event: Event): boolean {
  if (event.kind !== 30078 || event.pubkey !== bot || tag(event, 'd') !== D) return false
  if (!verifyEvent(event)) return false
  if (!latest || event.created_at !== latest.created_at) {
    return event.created_at > (latest?.created_at ?? 0)
  }
  return event.id < latest.id
}

/** Unix seconds from which on a status says nothing about the present. */
const staleAt = (event: Event) =>
  Math.min(Number(tag(event, 'expiration')), event.created_at + 3 * Number(tag(event, 'interval')))

function read(event: Event): void {
  if (!isNews(event)) return
  const status = JSON.parse(event.content)
  if (status.schema !== 'tithe.pool-status/1' || status.at !== event.created_at) return
  if (status.seq < latestSeq) say(`sequence fell from ${latestSeq} to ${status.seq}: rolled back?`)
  latest = event
  latestSeq = status.seq
  const pool =
    status.balance_sats === undefined ? `${status.pool_pct} %` : `${status.balance_sats} sats`
  const leftMs = staleAt(event) * 1000 - Date.now()
  say(`${leftMs > 0 ? status.state : 'stale'} seq ${status.seq} pool ${pool}`)
  const goneStale = () => event === latest && say(`stale: nothing new since ${event.created_at}`)
  if (leftMs > 0) setTimeout(goneStale, leftMs)
}

for (const url of relays) {
  const socket = new WebSocket(url)
  const filter = { kinds: [30078], authors: [bot], '#d': [D] }
  socket.onopen = () => socket.send(JSON.stringify(['REQ', 'pool', filter]))
  socket.onmessage = ({ data }) => {
    try {
      const [type, , event] = JSON.parse(String(data))
      if (type === 'EVENT') read(event)
    } catch (error) {
      say(`${url} sent what cannot be read: ${error}`)
    }
  }
}
