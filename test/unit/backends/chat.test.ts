import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { BackendError, type Work } from '../../../src/backends/backend.ts'
import { type ChatOptions, createChat } from '../../../src/backends/chat.ts'
import {
  answer,
  type ChatScript,
  type ChatServer,
  delta,
  errorBody,
  flood,
  raw,
  silence,
  sse,
  startChatServer,
  status,
} from '../../support/chat-server.ts'

let server: ChatServer

beforeEach(async () => {
  server = await startChatServer()
})

afterEach(() => server[Symbol.asyncDispose]())

const apiKey = 'sk-very-secret-key'
const request = 'a request nobody else may read'

const chat = (options: Partial<ChatOptions> = {}) =>
  createChat({
    baseUrl: server.baseUrl,
    apiKey,
    timeoutMs: 10_000,
    countTokens: (text) => text.length,
    ...options,
  })

const work = (more: Partial<Work> = {}): Work => ({
  jobId: 'k3',
  request,
  model: 'small',
  maxOutputTokens: 100,
  signal: new AbortController().signal,
  ...more,
})

/** The fault of one run, after checking that it gives nothing away. */
async function faultOf(running: Promise<unknown>): Promise<BackendError> {
  const error = await running.then(
    () => expect.unreachable('the run succeeded'),
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof BackendError)) throw error
  const shown = JSON.stringify([error.message, error.stack, error.cause, { ...error }])
  for (const secret of [apiKey, request, '127.0.0.1']) expect(shown).not.toContain(secret)
  return error
}

const failing = async (script: ChatScript, options: Partial<ChatOptions> = {}) => {
  server.next(script)
  const { code, retryable } = await faultOf(chat(options).run(work()))
  return { code, retryable }
}

const retry = { code: 'backend_failed', retryable: true }
const giveUp = { code: 'backend_failed', retryable: false }

describe('a request', () => {
  test('carries model, text, cap and key, and asks for a stream with usage', async () => {
    await chat().run(work())
    expect(server.calls).toHaveLength(1)
    expect(server.calls[0]).toMatchObject({
      path: '/v1/chat/completions',
      authorization: `Bearer ${apiKey}`,
      body: {
        model: 'small',
        messages: [{ role: 'user', content: request }],
        stream: true,
        stream_options: { include_usage: true },
        max_tokens: 100,
      },
    })
    expect(server.calls[0]?.body).not.toHaveProperty('tools')
  })

  test('without key or cap names neither; a slash ends the address or not', async () => {
    const plain = chat({ apiKey: undefined, baseUrl: `${server.baseUrl}/` })
    await plain.run(work({ maxOutputTokens: undefined }))
    expect(server.calls[0]).toMatchObject({
      path: '/v1/chat/completions',
      authorization: undefined,
    })
    expect(server.calls[0]?.body).not.toHaveProperty('max_tokens')
  })

  test('is asked again in the way the server takes it, and learns', async () => {
    const backend = chat()
    server.next(
      status(400, errorBody({ code: 'unsupported_parameter', param: 'max_tokens' })),
      status(400, errorBody({ param: 'stream_options' })),
    )
    expect(await backend.run(work())).toMatchObject({ result: request })
    const last = server.calls.at(-1)?.body
    expect(last).toMatchObject({ max_completion_tokens: 100 })
    expect(last).not.toHaveProperty('max_tokens')
    expect(last).not.toHaveProperty('stream_options')
    await backend.run(work())
    expect(server.calls).toHaveLength(4)
    await backend.run(work({ model: 'other' }))
    expect(server.calls.at(-1)?.body).toMatchObject({ max_tokens: 100 })
  })

  test('is not asked for ever by a server that refuses everything', async () => {
    const refuse = status(400, errorBody({ param: 'max_tokens' }))
    server.next(refuse, refuse, refuse, refuse)
    expect(await faultOf(chat().run(work()))).toMatchObject(giveUp)
    expect(server.calls).toHaveLength(2)
  })
})

describe('an answer', () => {
  test('is joined from its pieces, with the usage the server counted', async () => {
    const usage = { prompt_tokens: 7, completion_tokens: 3 }
    server.next(answer(['Forty', '-', 'two.'], { usage }))
    expect(await chat().run(work())).toEqual({
      result: 'Forty-two.',
      usage: { input: 7, output: 3 },
    })
  })

  test('without usage is counted, never above the cap', async () => {
    server.next(answer(['Forty-two.'], { usage: null }), answer(['x'.repeat(500)], { usage: null }))
    const { usage } = await chat().run(work())
    expect(usage).toEqual({ input: request.length, output: 10 })
    expect((await chat().run(work())).usage?.output).toBe(100)
  })

  test.each([
    { prompt_tokens: -1, completion_tokens: 3 },
    { prompt_tokens: 1.5, completion_tokens: 3 },
    { prompt_tokens: 1e300, completion_tokens: 3 },
  ])('with usage that cannot be, %j, is counted', async (usage) => {
    server.next(answer(['Forty-two.'], { usage }))
    expect((await chat().run(work())).usage).toEqual({ input: request.length, output: 10 })
  })

  test('that used ten times its cap tells so, because the operator pays for it', async () => {
    server.next(answer(['x'], { usage: { prompt_tokens: 5, completion_tokens: 1_000 } }))
    expect((await chat().run(work())).usage).toEqual({ input: 5, output: 1_000 })
  })

  test.each<[string, ChatScript, string]>([
    ['stopped at its cap', answer(['cut'], { finish: 'length' }), 'cut'],
    ['without [DONE]', answer(['whole'], { done: false }), 'whole'],
    ['without finish_reason', answer(['whole'], { finish: null }), 'whole'],
    [
      'torn after its last word',
      raw([sse(delta('whole')), sse(delta('', 'stop'))], 'tear'),
      'whole',
    ],
    ['with CR LF', raw([sse(delta('a', 'stop')).replaceAll('\n', '\r\n')]), 'a'],
    ['with CR alone', raw([sse(delta('a', 'stop')).replaceAll('\n', '\r')]), 'a'],
    ['without blanks after colons', raw([sse(delta('a', 'stop')).replace(': ', ':')]), 'a'],
    ['without a last line break', raw([sse(delta('a', 'stop')).trimEnd()]), 'a'],
    [
      'with comments and other fields',
      raw([': hi\n\nevent: x\nid: 1\n', sse(delta('a', 'stop'))]),
      'a',
    ],
    ['with empty data', raw(['data:\n\n', sse(delta('a', 'stop'))]), 'a'],
    [
      'with data on several lines',
      raw([
        'data: {"choices":\r',
        '\ndata: [{"delta":{"content":"a"},"finish_reason":"stop"}]}\r\n\r\n',
      ]),
      'a',
    ],
    ['with null content', raw([sse(delta(null)), sse(delta('a', 'stop'))]), 'a'],
    ['labelled as text', raw([sse(delta('a', 'stop'))], 'end', 'text/plain'), 'a'],
  ])('%s is taken', async (_, script, result) => {
    server.next(script)
    expect(await chat().run(work())).toMatchObject({ result })
  })

  test('cut anywhere, also inside a character, is put together', async () => {
    const bytes = Buffer.from(sse(delta('zwölf 😀 Boxkämpfer', 'stop')))
    server.next(raw([...bytes].map((byte) => Buffer.from([byte]))))
    expect(await chat().run(work())).toMatchObject({ result: 'zwölf 😀 Boxkämpfer' })
  })

  test('that comes whole though a stream was asked for is taken', async () => {
    const whole = {
      choices: [{ message: { role: 'assistant', content: 'whole' }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 7, completion_tokens: 1 },
    }
    server.next(status(200, JSON.stringify(whole)))
    expect(await chat().run(work())).toEqual({ result: 'whole', usage: { input: 7, output: 1 } })
  })

  test('is stripped of NUL, controls and lone surrogates', async () => {
    server.next(answer(['\0a\u001b[31mred\u0007\u009b', '\r\nb\tc\u007f', '\ud800d \n']))
    expect(await chat().run(work())).toMatchObject({ result: 'a[31mred\nb\tc\ufffdd' })
  })

  test('that falls silent after its last word is taken', async () => {
    server.next(raw([sse(delta('whole', 'stop'))], 'stall'))
    expect(await chat({ idleMs: 50 }).run(work())).toMatchObject({ result: 'whole' })
  })
})

describe('a failure', () => {
  test.each([
    [408, retry],
    [409, retry],
    [425, retry],
    [429, retry],
    [500, retry],
    [502, retry],
    [503, retry],
    [529, retry],
    [400, giveUp],
    [401, giveUp],
    [403, giveUp],
    [404, giveUp],
    [422, giveUp],
  ])('of status %d is %j', async (code, fault) => {
    expect(await failing(status(code, errorBody({ code: 'some_code' })))).toEqual(fault)
  })

  test('names status and code and repeats nothing else of the body', async () => {
    const body = { error: { code: 'rate_limit_exceeded', message: `${apiKey} ${request}` } }
    server.next(status(429, JSON.stringify(body)))
    const message = 'status 429 (rate_limit_exceeded)'
    expect(await faultOf(chat().run(work()))).toMatchObject({ message })
    server.next(status(400, errorBody({ code: apiKey, type: request })))
    expect(await faultOf(chat().run(work()))).toMatchObject({ message: 'status 400' })
  })

  test.each<[string, ChatScript]>([
    ['a stream without an end', answer(['half'], { finish: null, done: false })],
    ['a torn stream', raw([sse(delta('half'))], 'tear')],
    ['an empty body', raw([])],
    ['HTML', raw(['<!doctype html><title>Login</title>'], 'end', 'text/html')],
    ['a chunk that is no JSON', raw(['data: {"choices":\n\n', sse(delta('a', 'stop'))])],
    ['a chunk that is no chunk', raw(['data: "x"\n\n', sse(delta('a', 'stop'))])],
    ['an error in mid-stream', raw([sse(delta('a')), sse({ error: { code: 'overloaded' } })])],
    ['JSON without choices', status(200, '{"choices":[]}')],
    ['JSON that is none', status(200, '{"cho')],
    ['an empty result', answer(['', ' \n'])],
    ['a depth bomb', raw([`data: ${'['.repeat(200_000)}\n\n`])],
  ])('by %s may be retried', async (_, script) => {
    expect(await failing(script)).toEqual(retry)
  })

  test('by a content filter is a rejection, before or during the answer', async () => {
    const rejected = { code: 'rejected', retryable: false }
    expect(await failing(status(400, errorBody({ code: 'content_filter' })))).toEqual(rejected)
    expect(await failing(answer(['a'], { finish: 'content_filter' }))).toEqual(rejected)
  })

  test('by a model that spent its cap on nothing is not repeated', async () => {
    expect(await failing(answer([''], { finish: 'length' }))).toEqual(giveUp)
  })

  test('by a redirect does not follow it', async () => {
    const location = `${server.baseUrl}/elsewhere`
    expect(await failing(status(307, '', { location }))).toEqual(retry)
    expect(server.calls).toHaveLength(1)
  })

  test('by a server that is not there names the system code alone', async () => {
    const baseUrl = server.baseUrl
    await server[Symbol.asyncDispose]()
    const error = await faultOf(chat({ baseUrl }).run(work()))
    expect(error.message).toBe('no connection (ECONNREFUSED)')
    server = await startChatServer()
  })

  test('by 50 MB of answer stops reading early and keeps little of it', async () => {
    let sentBytes = 0
    const chunk = sse(delta('x'.repeat(2_000)))
    server.next(flood(chunk, 50e6, (sent) => (sentBytes = sent)))
    const error = await faultOf(chat().run(work()))
    expect(error).toMatchObject({ ...giveUp, message: 'the result is too long' })
    await server.calls[0]?.closed
    expect(sentBytes).toBeLessThan(10e6)
  })

  test.each([
    ['lines that never end', 'x'.repeat(64_000), 'line'],
    ['events that never end', `data: ${'x'.repeat(64_000)}\n`, 'event'],
    ['comments without end', `: ${'x'.repeat(64_000)}\n\n`, 'body'],
  ])('by %s of 50 MB is bounded', async (_, chunk, what) => {
    server.next(flood(chunk, 50e6))
    const error = await faultOf(chat().run(work()))
    expect(error).toMatchObject({ ...giveUp, message: `an answer's ${what} is too large` })
  })

  test('by 50 MB of error body is its status', async () => {
    server.next((_, response) => {
      response.writeHead(500)
      response.end('x'.repeat(50_000_000))
    })
    expect(await faultOf(chat().run(work()))).toMatchObject({ ...retry, message: 'status 500' })
  })
})

describe('time', () => {
  const late = { code: 'backend_timeout', retryable: true }

  test('runs out when nothing comes', async () => {
    expect(await failing(silence, { idleMs: 50 })).toEqual(late)
  })

  test('runs out when the stream falls silent', async () => {
    expect(await failing(raw([sse(delta('half'))], 'stall'), { idleMs: 50 })).toEqual(late)
  })

  test('runs out in all, though something always comes', async () => {
    const drip: ChatScript = async (call, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      const timer = setInterval(() => response.write(': still here\n\n'), 10)
      await call.closed
      clearInterval(timer)
    }
    expect(await failing(drip, { timeoutMs: 150, idleMs: 100 })).toEqual(late)
  })

  test('stopped by the caller ends at once, before, while waiting and while reading', async () => {
    const before = work({ signal: AbortSignal.abort() })
    expect(await faultOf(chat().run(before))).toMatchObject({ ...retry, message: 'stopped' })
    expect(server.calls).toHaveLength(0)
    for (const wait of [silence, raw([sse(delta('half'))], 'stall')]) {
      const stop = new AbortController()
      const script: ChatScript = async (call, response) => {
        await wait(call, response)
        stop.abort()
      }
      server.next(script)
      const error = await faultOf(chat().run(work({ signal: stop.signal })))
      expect(error).toMatchObject({ ...retry, message: 'stopped' })
      await server.calls.at(-1)?.closed
    }
  })
})
