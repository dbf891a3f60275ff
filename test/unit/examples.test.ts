import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { expect, test } from 'vitest'
import { buildBackend } from '../../src/backends/build.ts'
import { countTokens } from '../../src/backends/tokenizer.ts'
import { systemClock } from '../../src/clock.ts'
import { type Config, readConfig } from '../../src/config.ts'
import { realSettings } from '../support/command.ts'
import { startChatServer } from '../support/chat-server.ts'
import { scratchDir } from '../support/tithe.ts'

const examples = join(import.meta.dirname, '../../examples')

/** The settings of an example in a bot that is otherwise complete. */
function configOf(name: string, changes: Record<string, string> = {}): Config {
  const own = parseEnv(readFileSync(join(examples, name, 'settings.env'), 'utf8'))
  const read = readConfig({ ...realSettings('postgres://localhost/x'), ...own, ...changes })
  if (!read.ok) throw new Error(JSON.stringify(read.problems))
  return read.config
}

/** Does one job as the daemon would, with the Node of this run in place of the installed one. */
async function run({ backend: choice, models }: Config, request: string): Promise<string> {
  const command = choice.command?.map((part) =>
    part === '/usr/bin/node' ? process.execPath : part,
  )
  const backend = buildBackend({ ...choice, command }, { clock: systemClock, countTokens })
  const signal = AbortSignal.timeout(20_000)
  const model = models[0]?.name ?? ''
  const { result } = await backend.run({ jobId: '1', request, model, maxOutputTokens: 50, signal })
  return result
}

test('the chat example sells what a local server answers', async () => {
  await using server = await startChatServer()
  const config = configOf('chat', { CHAT_BASE_URL: server.baseUrl })
  expect(await run(config, 'What is a satoshi?')).toBe('What is a satoshi?')
  expect(server.calls[0]?.body).toMatchObject({ model: 'llama3.2', max_tokens: 50 })
})

test('the command example reports what reading a text takes', async () => {
  const text = 'A relay is a server. It keeps events, and gives them to whoever asks. Unbelievable!'
  expect(await run(configOf('command'), text)).toBe(
    '15 words in 3 sentences.\n' +
      '5.0 words a sentence, the longest word is "Unbelievable".\n' +
      '1 min to read, 1 min to say aloud.',
  )
})

test('the command example refuses what has no words, which costs the customer nothing', async () => {
  await expect(run(configOf('command'), '!!! ???')).rejects.toMatchObject({ code: 'rejected' })
})

/** An API that answers with its status and with what it was sent. */
async function api() {
  const heard: { authorization: string | undefined; body: string }[] = []
  let status = 200
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => {
      body += chunk
    })
    request.on('end', () => {
      heard.push({ authorization: request.headers.authorization, body })
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ text: `bonjour, ${JSON.parse(body).text}` }))
    })
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : 0
  return {
    heard,
    answer(next: number) {
      status = next
    },
    /** The example's settings, with this API in place of the one they name. */
    config(...more: string[]) {
      const [node, script, , field] = configOf('api').backend.command ?? []
      const command = [node, script, `http://127.0.0.1:${port}/`, field, ...more]
      return configOf('api', { COMMAND: JSON.stringify(command) })
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

test('the API example sells what the API answers, with a key that stands in a file', async () => {
  await using server = await api()
  using scratch = scratchDir()
  const keyFile = join(scratch.path, 'key')
  writeFileSync(keyFile, 'a-key-of-the-api\n')
  expect(await run(server.config(keyFile), 'hello')).toBe('bonjour, hello')
  expect(server.heard).toEqual([
    { authorization: 'Bearer a-key-of-the-api', body: '{"text":"hello"}' },
  ])
})

test.each([
  [422, { code: 'rejected', retryable: false }],
  [503, { code: 'backend_failed', retryable: true }],
  [403, { code: 'backend_failed', retryable: false }],
])('the API example turns a status of %i into %j', async (status, fault) => {
  await using server = await api()
  server.answer(status)
  await expect(run(server.config(), 'hello')).rejects.toMatchObject(fault)
})

test('an API that is down is tried again later', async () => {
  await expect(run(configOf('api'), 'hello')).rejects.toMatchObject({ retryable: true })
})
