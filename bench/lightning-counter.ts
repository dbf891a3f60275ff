import { once } from 'node:events'
import { Agent, createServer, type IncomingMessage, request } from 'node:http'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'

/** A door in front of an LNbits that counts what comes through it, whichever LNbits is behind. */
export interface Counter {
  url: string
  /** Requests since the last call, by path without hashes and queries. */
  take(): Record<string, number>
}

export async function startCounter(behindUrl: string): Promise<Counter> {
  const { hostname: host, port } = new URL(behindUrl)
  const agent = new Agent({ keepAlive: true })
  let counts: Record<string, number> = {}

  const count = ({ method = '', url = '' }: IncomingMessage) => {
    const path = url.replace(/\?.*/, '').replace(/[0-9a-f]{32,}/, '…')
    const name = `${method} ${path}`
    counts[name] = (counts[name] ?? 0) + 1
  }

  const server = createServer((incoming, response) => {
    count(incoming)
    const { method, url: path, headers } = incoming
    const passed = request({ host, port, method, path, headers, agent }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    passed.on('error', () => incoming.socket.destroy())
    incoming.pipe(passed)
  })
  server.on('upgrade', (incoming: IncomingMessage, socket: Duplex, head: Buffer) => {
    count(incoming)
    const behind = connect(Number(port), host)
    const lines = incoming.rawHeaders.flatMap((name, at, all) =>
      at % 2 === 0 ? [`${name}: ${all[at + 1]}`] : [],
    )
    behind.write(`GET ${incoming.url} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`)
    behind.write(head)
    behind.pipe(socket).pipe(behind)
    for (const end of [behind, socket]) {
      end.on('error', () => {
        behind.destroy()
        socket.destroy()
      })
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    take() {
      const taken = counts
      counts = {}
      return taken
    },
  }
}
