import { BACKEND_BODY_BYTES, RESULT_CHARS } from '../limits.ts'
import { aborted, type Backend, BackendError, type Finished, type Work } from './backend.ts'
import { readChunk, readWhole, type Usage } from './chat-shapes.ts'
import { asBackendError, type Deadline, refusedStatus, startDeadline } from './chat-faults.ts'
import { plainText } from './plain-text.ts'
import { readEvents, readText } from './sse.ts'

export interface ChatOptions {
  /** Up to and with `/v1`. */
  baseUrl: string
  apiKey?: string | undefined
  /** For the whole of one request. */
  timeoutMs: number
  /** Without a single byte, the first included; half of `timeoutMs` when absent. */
  idleMs?: number | undefined
  /** Used where the server reports no usage: tokens of a request or of a result. */
  countTokens: (text: string) => number
}

/** What servers of this API disagree on; learned from their refusals, per model. */
interface Dialect {
  capField: 'max_tokens' | 'max_completion_tokens'
  includeUsage: boolean
}

interface Answer {
  text: string
  finish: string | undefined
  usage: Usage | undefined
}

/**
 * Any server of OpenAI's chat completions API: one user message, streamed, with the output cap that
 * the price was computed with. What comes back is text and nothing else: no tools are offered.
 */
export function createChat(options: ChatOptions): Backend {
  const { timeoutMs, countTokens } = options
  const baseUrl = options.baseUrl.replace(/\/+$/, '')
  const idleMs = options.idleMs ?? Math.ceil(timeoutMs / 2)
  const dialects = new Map<string, Dialect>()
  const authorization = options.apiKey ? { authorization: `Bearer ${options.apiKey}` } : {}

  async function ask(work: Work, deadline: Deadline): Promise<Response> {
    const dialect = dialects.get(work.model) ?? { capField: 'max_tokens', includeUsage: true }
    const response = await fetch(`${baseUrl}/chat/completions`, {
      method: 'POST',
      // A redirect would carry request and key to a place the operator did not name.
      redirect: 'error',
      headers: {
        'content-type': 'application/json',
        accept: 'text/event-stream',
        ...authorization,
      },
      body: JSON.stringify(requestBody(work, dialect)),
      signal: deadline.signal,
    })
    deadline.moved()
    if (response.ok) return response
    const { fault, param } = await refusedStatus(response)
    const learned = response.status === 400 ? adapt(dialect, param) : undefined
    if (!learned) throw fault
    dialects.set(work.model, learned)
    return ask(work, deadline)
  }

  return {
    name: 'chat',
    async run(work) {
      const { signal } = work
      if (signal.aborted) throw aborted()
      const deadline = startDeadline({ signal, timeoutMs, idleMs })
      try {
        const response = await ask(work, deadline)
        return finished(work, await readAnswer(response, deadline), countTokens)
      } catch (error) {
        throw asBackendError(error, deadline)
      } finally {
        deadline.end()
      }
    },
  }
}

function requestBody(work: Work, dialect: Dialect) {
  return {
    model: work.model,
    messages: [{ role: 'user', content: work.request }],
    stream: true,
    ...(dialect.includeUsage ? { stream_options: { include_usage: true } } : {}),
    ...(work.maxOutputTokens === undefined ? {} : { [dialect.capField]: work.maxOutputTokens }),
  }
}

/** Another way of asking after the server refused a parameter; undefined when none is left. */
function adapt(dialect: Dialect, param: string | undefined): Dialect | undefined {
  if (param === 'max_tokens' && dialect.capField === 'max_tokens') {
    return { ...dialect, capField: 'max_completion_tokens' }
  }
  const isUsage = param === 'stream_options' || param === 'stream_options.include_usage'
  return isUsage && dialect.includeUsage ? { ...dialect, includeUsage: false } : undefined
}

async function readAnswer(response: Response, deadline: Deadline): Promise<Answer> {
  if (!response.body) throw failed('an answer without a body')
  // Some servers ignore `stream` and send the whole answer at once.
  if (response.headers.get('content-type')?.includes('application/json')) {
    return readWhole(await readText(response.body, BACKEND_BODY_BYTES, deadline.moved))
  }
  return readStream(response.body, deadline)
}

async function readStream(body: ReadableStream<Uint8Array>, deadline: Deadline): Promise<Answer> {
  const answer: Answer = { text: '', finish: undefined, usage: undefined }
  try {
    for await (const data of readEvents(body, deadline.moved)) {
      if (data.trim() === '') continue
      if (data.trim() === '[DONE]') {
        answer.finish ??= 'stop'
        break
      }
      const chunk = readChunk(data)
      answer.text += chunk.text
      answer.finish ??= chunk.finish
      answer.usage = chunk.usage ?? answer.usage
      if (answer.text.length > RESULT_CHARS) {
        throw new BackendError('backend_failed', 'the result is too long', { retryable: false })
      }
    }
  } catch (error) {
    // A stream that breaks after its last word lacks only the usage, which can be counted.
    const isWhole = answer.finish !== undefined && !(error instanceof BackendError)
    if (!isWhole || deadline.stoppedByCaller()) throw error
  }
  // Half a result is none: without an orderly end nobody knows how much is missing.
  if (answer.finish === undefined) throw failed('the stream ended early')
  return answer
}

function finished(work: Work, answer: Answer, countTokens: (text: string) => number): Finished {
  if (answer.finish === 'content_filter') {
    throw new BackendError('rejected', 'the content filter refused', { retryable: false })
  }
  const result = plainText(answer.text)
  if (result.length > RESULT_CHARS) {
    throw new BackendError('backend_failed', 'the result is too long', { retryable: false })
  }
  if (result === '') {
    // A model that thought until its cap will do so again.
    const retryable = answer.finish !== 'length'
    throw new BackendError('backend_failed', 'an empty result', { retryable })
  }
  const cap = work.maxOutputTokens ?? Number.POSITIVE_INFINITY
  const usage = answer.usage ?? {
    input: countTokens(work.request),
    output: Math.min(countTokens(result), cap),
  }
  return { result, usage }
}

const failed = (message: string) => new BackendError('backend_failed', message, { retryable: true })
