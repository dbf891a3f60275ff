import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { z } from 'zod'
import { countTokens } from '../backends/tokenizer.ts'

/** The models of the demo as `MODELS` would name them: prices that make a short text cost tens of sats. */
export const demoModels = [
  { name: 'quick', inputUsdPerMillion: 10, outputUsdPerMillion: 200, maxOutputTokens: 150 },
  { name: 'thorough', inputUsdPerMillion: 20, outputUsdPerMillion: 500, maxOutputTokens: 420 },
]

/** Knows what the customers of the demo ask, and that is all it knows. */
const knowledge: [about: RegExp, answer: string][] = [
  [
    /satoshi/i,
    'A satoshi, or sat, is the smallest part of a bitcoin: one hundred-millionth of it. ' +
      'Prices of small things are told in sats because nobody likes to count zeros, and Lightning ' +
      'moves them one by one in less than a second.',
  ],
  [
    /gift wrap/i,
    'A gift wrap is a Nostr event around another one. It is signed by a key that is used once and ' +
      'thrown away, so a relay that carries it sees who it is for, and neither who sent it, nor ' +
      'when, nor what it says.',
  ],
  [
    /story/i,
    'Once there was a lighthouse keeper who was paid in sats, one for every ship that came home. ' +
      'In summer the sea was calm and ships were many, and each evening she put every tenth coin ' +
      'into a blue jar by the door.\n\n' +
      'A fisherman asked what the jar was for. "It is for nights," she said, and went up to trim ' +
      'the lamp.\n\n' +
      'In November a storm took the harbour wall. Boats came that had never come before, from ' +
      'villages without a light, and none of them could pay. The keeper looked at the sea, and at ' +
      'the jar, and lit the second lamp, the one that burns oil like a bonfire. It burned for three ' +
      'nights. Each morning she took from the jar what the oil had cost, not a coin more, and wrote ' +
      'it in her book: the boat, the hour, the coins.\n\n' +
      'On the fourth day the wind turned. The jar was nearly empty. Down at the quay a boat from a ' +
      'village without a light tied up, and its skipper walked to the door with a wet cap in his ' +
      'hands. "You had me home for nothing," he said. "Now my hold is full." He paid for the ship ' +
      'that had come home, and she thanked him, and put every tenth coin into the jar.\n\n' +
      '"For nights," said the skipper. "For nights," said the keeper, and went up to trim the lamp.',
  ],
]
const IDK = 'I am a small model in a demo and know nothing about that.'

const callShape = z.object({ messages: z.array(z.object({ content: z.string() })).min(1) })

export interface DemoModel {
  /** Up to and with `/v1`, as `CHAT_BASE_URL` wants it. */
  readonly url: string
  stop(): Promise<void>
}

/**
 * A server that speaks the chat completions API over loopback and streams its answers.
 * `onCall` runs before the first word of each answer: who wants to know what was true before the work
 * can look then.
 */
export async function startDemoModel(
  onCall: (request: string) => Promise<void>,
): Promise<DemoModel> {
  const server = createServer((incoming, response) => {
    respond(incoming, response, onCall).catch(() => response.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return {
    url: `http://127.0.0.1:${port}/v1`,
    async stop() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

async function respond(
  incoming: IncomingMessage,
  response: ServerResponse,
  onCall: (request: string) => Promise<void>,
): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(chunk)
  if (incoming.url !== '/v1/chat/completions') return void response.writeHead(404).end()
  const { messages } = callShape.parse(JSON.parse(Buffer.concat(chunks).toString('utf8')))
  const request = messages.at(-1)?.content ?? ''
  await onCall(request)
  const answer = knowledge.find(([about]) => about.test(request))?.[1] ?? IDK
  const say = (event: object) => response.write(`data: ${JSON.stringify(event)}\n\n`)
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  for (const word of answer.match(/\S+\s*/g) ?? []) {
    say({ choices: [{ delta: { content: word }, finish_reason: null }] })
  }
  say({ choices: [{ delta: {}, finish_reason: 'stop' }] })
  const usage = { prompt_tokens: countTokens(request), completion_tokens: countTokens(answer) }
  say({ choices: [], usage })
  response.end('data: [DONE]\n\n')
}
