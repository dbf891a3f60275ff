import { BACKEND_BODY_BYTES, SSE_LINE_CHARS } from '../limits.ts'
import { BackendError } from './backend.ts'

/**
 * The `data` of each event of a `text/event-stream` body (WHATWG HTML, server-sent events), without
 * comments and other fields. The last event counts also when the blank line after it is missing.
 * Leaving the loop early cancels the body.
 * @throws BackendError beyond BACKEND_BODY_BYTES in all or SSE_LINE_CHARS in one event.
 */
export async function* readEvents(
  body: ReadableStream<Uint8Array>,
  onBytes: () => void = () => {},
): AsyncGenerator<string> {
  let data: string[] = []
  let dataChars = 0
  for await (const line of readLines(body, onBytes)) {
    if (line === '') {
      if (data.length > 0) yield data.join('\n')
      data = []
      dataChars = 0
    } else if (line.startsWith('data:')) {
      const value = line.slice(line.charAt(5) === ' ' ? 6 : 5)
      dataChars += value.length
      if (dataChars > SSE_LINE_CHARS) throw tooLarge('event')
      data.push(value)
    }
  }
  if (data.length > 0) yield data.join('\n')
}

/** A whole body as text, refused beyond `maxBytes`. */
export async function readText(
  body: ReadableStream<Uint8Array>,
  maxBytes: number,
  onBytes: () => void = () => {},
): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of counted(body, maxBytes, onBytes)) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

/** Lines end with CR, LF or both, and a pair may be cut in two by a chunk. */
async function* readLines(
  body: ReadableStream<Uint8Array>,
  onBytes: () => void,
): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let open = ''
  let returned = false
  for await (const bytes of counted(body, BACKEND_BODY_BYTES, onBytes)) {
    const text = decoder.decode(bytes, { stream: true })
    if (text === '') continue
    let start = returned && text.startsWith('\n') ? 1 : 0
    returned = text.endsWith('\r')
    // Only the new text is searched, so that a long line in small chunks costs its length once.
    for (const { 0: end, index } of text.matchAll(/\r\n|\r|\n/g)) {
      if (index < start) continue
      yield open + text.slice(start, index)
      open = ''
      start = index + end.length
    }
    open += text.slice(start)
    if (open.length > SSE_LINE_CHARS) throw tooLarge('line')
  }
  open += decoder.decode()
  if (open !== '') yield open
}

async function* counted(
  body: ReadableStream<Uint8Array>,
  maxBytes: number,
  onBytes: () => void,
): AsyncGenerator<Uint8Array> {
  let bytes = 0
  for await (const chunk of body) {
    onBytes()
    bytes += chunk.byteLength
    if (bytes > maxBytes) throw tooLarge('body')
    yield chunk
  }
}

const tooLarge = (what: string) =>
  new BackendError('backend_failed', `an answer's ${what} is too large`, { retryable: false })
