import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What the server does with one request; the next request takes the next script. */
export type ChatScript = (call: ChatCall, response: ServerResponse) => void | Promise<void>

/** One request as it arrived. */
export interface ChatCall {
  path: string
  authorization: string | undefined
  body: {
    model?: string
    messages?: { role: string; content: string }[]
    max_tokens?: number
    max_completion_tokens?: number
    stream_options?: { include_usage?: boolean }
  }
  /** Resolves when the other side has gone or everything was sent. */
  closed: Promise<void>
}

export interface ChatServer extends AsyncDisposable {
  /** Up to and with `/v1`. */
  baseUrl: string
  /** Every request so far, in order. */
  calls: ChatCall[]
  /** Scripts of the next requests; without one, a request is answered with its own text. */
  next(...scripts: ChatScript[]): void
}

/** A server on loopback that speaks the chat completions API as its scripts say. */
export async function startChatServer(): Promise<ChatServer> {
  const calls: ChatCall[] = []
  const scripts: ChatScript[] = []
  const server = createServer(async (request, response) => {
    const call = await readCall(request, response)
    calls.push(call)
    const script = scripts.shift() ?? answer([call.body.messages?.at(-1)?.content ?? ''])
    await script(call, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    baseUrl: `http://127.0.0.1:${port}/v1`,
    calls,
    next: (...more) => void scripts.push(...more),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function readCall(request: IncomingMessage, response: ServerResponse): Promise<ChatCall> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const text = Buffer.concat(chunks).toString()
  return {
    path: request.url ?? '',
    authorization: request.headers.authorization,
    body: (text === '' ? {} : JSON.parse(text)) as ChatCall['body'],
    closed: new Promise((resolve) => response.once('close', () => resolve())),
  }
}

export const sse = (value: unknown) => `data: ${JSON.stringify(value)}\n\n`

/** A chunk as servers of this API stream it. */
export const delta = (content: string | null, finish: string | null = null) => ({
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  choices: [{ index: 0, delta: { role: 'assistant', content }, finish_reason: finish }],
})

export interface AnswerOptions {
  /** Null reports none. By default a token for every four characters, for both. */
  usage?: { prompt_tokens: number; completion_tokens: number } | null
  finish?: string | null
  done?: boolean
}

/** A streamed answer, one chunk for each piece. */
export function answer(pieces: string[], options: AnswerOptions = {}): ChatScript {
  return (call, response) => {
    const { finish = 'stop', done = true } = options
    const tokens = (text: string) => Math.ceil(text.length / 4)
    const counted = {
      prompt_tokens: tokens(call.body.messages?.at(-1)?.content ?? ''),
      completion_tokens: tokens(pieces.join('')),
    }
    const { usage = counted } = options
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    for (const piece of pieces) response.write(sse(delta(piece)))
    if (finish !== null) response.write(sse(delta(null, finish)))
    if (usage && call.body.stream_options?.include_usage) {
      response.write(sse({ choices: [], usage }))
    }
    response.end(done ? 'data: [DONE]\n\n' : undefined)
  }
}

/** Any status with any body. */
export const status =
  (code: number, body = '', headers: Record<string, string> = {}): ChatScript =>
  (_, response) => {
    response.writeHead(code, { 'content-type': 'application/json', ...headers }).end(body)
  }

/** An error body as this API writes it. */
export const errorBody = (error: { code?: string; type?: string; param?: string }) =>
  JSON.stringify({ error: { message: 'Words that nobody compares.', ...error } })

/** Bytes as they are; then the end, or the connection torn, or silence. */
export const raw =
  (
    chunks: (string | Buffer)[],
    end: 'end' | 'tear' | 'stall' = 'end',
    contentType = 'text/event-stream',
  ): ChatScript =>
  async (_, response) => {
    response.writeHead(200, { 'content-type': contentType })
    for (const chunk of chunks) {
      // Each chunk is flushed by itself, so that the reader sees the same cuts.
      await new Promise<void>((resolve) => response.write(chunk, () => resolve()))
    }
    if (end === 'end') response.end()
    if (end === 'tear') response.destroy()
  }

/** Takes the request and never answers. */
export const silence: ChatScript = () => {}

/** One chunk again and again until the other side has had enough, at most `bytes`. */
export const flood =
  (chunk: string, bytes: number, onSent: (bytes: number) => void = () => {}): ChatScript =>
  async (call, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    let open = true
    void call.closed.then(() => {
      open = false
    })
    let sent = 0
    while (open && sent < bytes) {
      sent += chunk.length
      onSent(sent)
      await new Promise<void>((resolve) => response.write(chunk, () => resolve()))
    }
    response.end()
  }
