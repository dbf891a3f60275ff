import { z } from 'zod'
import { looseJson } from '../json.ts'
import { BackendError } from './backend.ts'

/*
 * What a server of the chat completions API answers, as far as we read it. Unknown fields are
 * dropped, and fields we could do without never make an answer unreadable.
 */

export interface Usage {
  input: number
  output: number
}

const count = z.int().min(0).max(1_000_000_000)

const usage = z
  .object({ prompt_tokens: count, completion_tokens: count })
  .transform((tokens): Usage => ({ input: tokens.prompt_tokens, output: tokens.completion_tokens }))
  .nullish()
  .catch(undefined)

const content = z.string().nullish()
const finish = z.string().nullish()

const chunkShape = z.object({
  choices: z
    .array(z.object({ delta: z.object({ content }).nullish(), finish_reason: finish }))
    .nullish(),
  usage,
  error: z.unknown().optional(),
})

const wholeShape = z.object({
  choices: z.array(z.object({ message: z.object({ content }), finish_reason: finish })).min(1),
  usage,
})

const errorShape = z.object({
  error: z.object({
    code: z.union([z.string(), z.number()]).nullish(),
    type: z.string().nullish(),
    param: z.string().nullish(),
  }),
})

export interface Chunk {
  text: string
  finish: string | undefined
  usage: Usage | undefined
}

/**
 * One `data` of the stream. The last one carries usage and no choice.
 * @throws BackendError when it is no chunk, or when the server reports an error in mid-stream.
 */
export function readChunk(data: string): Chunk {
  const chunk = chunkShape.safeParse(looseJson(data)).data
  if (!chunk) throw unreadable()
  if (chunk.error !== undefined && chunk.error !== null) {
    throw new BackendError('backend_failed', 'an error in mid-stream', { retryable: true })
  }
  const choice = chunk.choices?.[0]
  return {
    text: choice?.delta?.content ?? '',
    finish: choice?.finish_reason ?? undefined,
    usage: chunk.usage ?? undefined,
  }
}

/**
 * An answer that came in one piece.
 * @throws BackendError when it is none.
 */
export function readWhole(text: string): Chunk {
  const whole = wholeShape.safeParse(looseJson(text)).data
  const choice = whole?.choices[0]
  if (!choice) throw unreadable()
  return {
    text: choice.message.content ?? '',
    finish: choice.finish_reason ?? 'stop',
    usage: whole?.usage ?? undefined,
  }
}

/** What an error body names: its code for the log, and the parameter the server does not take. */
export function readError(text: string): { code: string | undefined; param: string | undefined } {
  const error = errorShape.safeParse(looseJson(text)).data?.error
  return { code: word(error?.code) ?? word(error?.type), param: error?.param ?? undefined }
}

/** A code is repeated only if it looks like one: bodies of errors quote keys and requests. */
function word(code: string | number | null | undefined): string | undefined {
  return typeof code === 'string' && /^[a-z_]{1,40}$/.test(code) ? code : undefined
}

const unreadable = () =>
  new BackendError('backend_failed', 'an answer that cannot be read', { retryable: true })
