import { once } from 'node:events'
import { request } from 'node:http'
import { WebSocket } from 'ws'

/** LNbits' API without tithe's client between: what is really said. */
export interface RawAnswer {
  status: number
  json: unknown
  location: string | undefined
}

export async function rawCall(
  url: string,
  path: string,
  options: { method?: string; key?: string; body?: unknown } = {},
): Promise<RawAnswer> {
  const text = options.body === undefined ? undefined : JSON.stringify(options.body)
  const sent = request(`${url}/api/v1${path}`, {
    method: options.method ?? (text === undefined ? 'GET' : 'POST'),
    agent: false,
    headers: {
      ...(text === undefined ? {} : { 'content-type': 'application/json' }),
      ...(options.key === undefined ? {} : { 'x-api-key': options.key }),
    },
  })
  sent.end(text)
  const [response] = await once(sent, 'response')
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk)
  const body = Buffer.concat(chunks).toString('utf8')
  return { status: response.statusCode, json: parse(body), location: response.headers.location }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** A text field of an answer, however deep; a missing one fails the test. */
export function textAt(json: unknown, ...path: string[]): string {
  const found = at(json, path)
  if (typeof found !== 'string') throw new Error(`no text at ${path.join('.')}`)
  return found
}

export function at(json: unknown, path: string[]): unknown {
  return path.reduce<unknown>(
    (value, name) =>
      typeof value === 'object' && value !== null
        ? new Map(Object.entries(value)).get(name)
        : undefined,
    json,
  )
}

/** Listens under a name and keeps what comes. */
export async function listenTo(
  url: string,
  name: string,
): Promise<{ messages: unknown[]; close(): void }> {
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/api/v1/ws/${name}`)
  const messages: unknown[] = []
  socket.on('message', (data) => messages.push(parse(String(data))))
  await once(socket, 'open')
  return { messages, close: () => socket.terminate() }
}
