import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createInterface, type Interface } from 'node:readline'
import { type Event, EventRepository, EventUtils, type Filter, LogLevel } from '@nostr-relay/common'
import { NostrRelay } from '@nostr-relay/core'
import { Validator } from '@nostr-relay/validator'
import { WebSocketServer } from 'ws'

/** A relay that is not ours, on loopback. */
export interface ForeignRelay extends AsyncDisposable {
  readonly url: string
}

const HOST = '127.0.0.1'

/**
 * `@nostr-relay/core`, the engine of several public relays. With `auth` it keeps kind 4 for those it is for, and
 * says `restricted:` where NIP-42 has `auth-required:`. Its own repository on disk needs a compiler, so events
 * lie in memory.
 */
export async function startNostrRelay({ auth = false } = {}): Promise<ForeignRelay> {
  const relay = new NostrRelay(new EventsInMemory(), {
    logLevel: LogLevel.ERROR,
    ...(auth ? { hostname: HOST } : {}),
  })
  const validator = new Validator()
  const server = new WebSocketServer({ host: HOST, port: 0 })
  server.on('connection', (socket) => {
    relay.handleConnection(socket)
    socket.on('close', () => relay.handleDisconnect(socket))
    socket.on('error', () => socket.terminate())
    socket.on('message', async (data: Buffer) => {
      try {
        await relay.handleMessage(socket, await validator.validateIncomingMessage(data))
      } catch (error) {
        socket.send(JSON.stringify(['NOTICE', String(error)]))
      }
    })
  })
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `ws://${HOST}:${port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of server.clients) socket.terminate()
      const closed = once(server, 'close')
      server.close()
      await closed
      await relay.destroy()
    },
  }
}

class EventsInMemory extends EventRepository {
  readonly #events = new Map<string, Event>()

  isSearchSupported(): boolean {
    return false
  }

  upsert(event: Event): { isDuplicate: boolean } {
    const key = placeOf(event)
    const before = this.#events.get(key)
    const isDuplicate = before !== undefined && before.created_at >= event.created_at
    if (!isDuplicate) this.#events.set(key, event)
    return { isDuplicate }
  }

  find(filter: Filter): Event[] {
    return [...this.#events.values()]
      .filter((event) => EventUtils.isMatchingFilter(event, filter))
      .sort((a, b) => b.created_at - a.created_at)
      .slice(0, filter.limit ?? 500)
  }

  async destroy(): Promise<void> {
    this.#events.clear()
  }
}

/** One place for each version of what is replaceable or addressable (NIP-01). */
function placeOf({ id, kind, pubkey, tags }: Event): string {
  const replaceable = kind === 0 || kind === 3 || (kind >= 10_000 && kind < 20_000)
  if (replaceable) return `${kind}:${pubkey}`
  if (kind < 30_000 || kind >= 40_000) return id
  return `${kind}:${pubkey}:${tags.find(([name]) => name === 'd')?.[1] ?? ''}`
}

/**
 * The npm package `relays`: a small relay that verifies no signature, replaces nothing, answers the oldest
 * events first and keeps one table of subscription ids for all clients. In a process of its own.
 */
export async function startLooseRelay(): Promise<ForeignRelay> {
  const child = spawn(process.execPath, [new URL('loose-relay.ts', import.meta.url).pathname], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  return {
    url: await urlOf(createInterface({ input: child.stdout })),
    async [Symbol.asyncDispose]() {
      const gone = once(child, 'exit')
      child.kill('SIGKILL')
      await gone
    },
  }
}

/** The package greets on its standard output; our line is the one with the address. */
async function urlOf(lines: Interface): Promise<string> {
  for await (const line of lines) if (line.startsWith('ws://')) return line
  throw new Error('the relay did not start')
}
