import { once } from 'node:events'
import { connect, createServer, type NetConnectOpts, type Socket } from 'node:net'
import { type DatabaseTarget, driverTarget } from '../../src/store/database-target.ts'

/** A door on loopback to a PostgreSQL server, which counts, cuts and closes. */
export interface DatabaseGate extends AsyncDisposable {
  readonly port: number
  /** For DATABASE_URL. */
  url(database: string): string
  /** Statements sent through it so far, as text or prepared. */
  statements(): number
  /** As a server that went down: every connection is cut, new ones are refused. */
  close(): Promise<void>
  open(): Promise<void>
  /** The next `count` commits reach the server, and what it answers reaches nobody. */
  cutCommits(count: number): void
  /** Commits whose answer was cut off so far. */
  cuts(): number
}

export interface DatabaseGateOptions {
  target: DatabaseTarget
  /** 0 takes a free one. */
  port?: number
  /** Closed at first. */
  closed?: boolean
}

export async function databaseGate(options: DatabaseGateOptions): Promise<DatabaseGate> {
  const behind = addressOf(options.target)
  const sockets = new Set<Socket>()
  let statements = 0
  let cutsLeft = 0
  let cuts = 0

  const server = createServer((near) => {
    const far = connect(behind)
    const hear = frontendMessages((message) => {
      if (message.type === 'Q' || message.type === 'E') statements += 1
      if (message.type !== 'Q' || message.text() !== 'commit' || cutsLeft === 0) return
      cutsLeft -= 1
      cuts += 1
      // Its bytes are on their way; from here on nothing comes back.
      far.removeAllListeners('data')
      far.on('data', () => {})
      setImmediate(() => near.destroy())
    })
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => sockets.delete(socket))
    }
    near.on('data', (bytes) => {
      far.write(bytes)
      hear(bytes)
    })
    far.on('data', (bytes) => void near.write(bytes))
    // What was written before still arrives: the end goes behind it.
    near.on('close', () => far.end())
    far.on('close', () => near.destroy())
  })

  async function open(port: number): Promise<number> {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    return typeof address === 'object' && address ? address.port : port
  }

  async function close(): Promise<void> {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    for (const socket of sockets) socket.destroy()
    await closed
  }

  const port = await open(options.port ?? 0)
  if (options.closed) await close()
  return {
    port,
    url(database) {
      const { username = 'tithe', password = '' } = accountOf(options.target)
      const url = new URL(`postgres://127.0.0.1:${port}/${database}`)
      return Object.assign(url, { username, password }).href
    },
    statements: () => statements,
    close,
    async open() {
      if (!server.listening) await open(port)
    },
    cutCommits(count) {
      cutsLeft += count
    },
    cuts: () => cuts,
    [Symbol.asyncDispose]: close,
  }
}

function addressOf(target: DatabaseTarget): NetConnectOpts {
  const { url, options } = driverTarget(target)
  if (url === undefined) return { path: String(options.path) }
  const { hostname, port } = new URL(url)
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 5432) }
}

function accountOf(target: DatabaseTarget): { username?: string; password?: string } {
  const { url, options } = driverTarget(target)
  if (url !== undefined) {
    const { username, password } = new URL(url)
    return { username: decodeURIComponent(username), password: decodeURIComponent(password) }
  }
  return typeof options.username === 'string' ? { username: options.username } : {}
}

interface Message {
  type: string
  /** Its body as text, without the last zero. */
  text(): string
}

/** Reads the messages of a PostgreSQL client out of its bytes; the first one has no type. */
function frontendMessages(hear: (message: Message) => void): (bytes: Buffer) => void {
  let left: Buffer = Buffer.alloc(0)
  let greeted = false
  return (bytes) => {
    left = left.length === 0 ? bytes : Buffer.concat([left, bytes])
    for (;;) {
      const head = greeted ? 5 : 4
      if (left.length < head) return
      const size = left.readUInt32BE(head - 4) + head - 4
      if (left.length < size) return
      const message = left.subarray(0, size)
      left = left.subarray(size)
      if (greeted) {
        const type = String.fromCharCode(message[0] ?? 0)
        hear({ type, text: () => message.toString('utf8', 5, size - 1) })
      }
      greeted = true
    }
  }
}
