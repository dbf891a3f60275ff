import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readEvents, readText } from '../../../src/backends/sse.ts'

const streamOf = (chunks: Uint8Array[]) => ReadableStream.from(chunks) as ReadableStream<Uint8Array>

async function eventsOf(chunks: (string | Uint8Array)[]): Promise<string[]> {
  const bytes = chunks.map((chunk) => (typeof chunk === 'string' ? Buffer.from(chunk) : chunk))
  const events: string[] = []
  for await (const event of readEvents(streamOf(bytes))) events.push(event)
  return events
}

describe('readEvents', () => {
  test.each([
    ['one event', 'data: a\n\n', ['a']],
    ['several lines of one event', 'data: a\ndata:b\ndata:  c\n\n', ['a\nb\n c']],
    ['empty data', 'data\ndata:\n\n', ['']],
    ['comments, names, ids and retries', ': c\nevent: e\nid: 1\nretry: 5\ndata: a\n\n', ['a']],
    ['blank lines', '\n\n\ndata: a\n\n\n\ndata: b\n\n', ['a', 'b']],
    ['no blank line at the end', 'data: a\n\ndata: b', ['a', 'b']],
    ['nothing', '', []],
    ['no events', '<html></html>', []],
  ])('reads %s', async (_, text, events) => {
    expect(await eventsOf([text])).toEqual(events)
  })

  test('reads the same events wherever the bytes are cut and however lines end', async () => {
    const ending = fc.constantFrom('\n', '\r\n', '\r')
    const words = fc.array(
      fc.string({ unit: 'grapheme' }).map((word) => word.replaceAll(/[\r\n]/g, '')),
    )
    await fc.assert(
      fc.asyncProperty(ending, words, fc.integer({ min: 1, max: 9 }), async (end, values, size) => {
        const text = values.map((value) => `data: ${value}${end}data:.${end}${end}`).join('')
        const bytes = Buffer.from(text)
        const chunks = []
        for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size))
        expect(await eventsOf(chunks)).toEqual(values.map((value) => `${value}\n.`))
      }),
      { numRuns: 300 },
    )
  })

  test('a reader that leaves early cancels the body', async () => {
    let cancelled = false
    const endless = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(Buffer.from('data: a\n\n')),
      cancel: () => {
        cancelled = true
      },
    })
    for await (const event of readEvents(endless)) {
      expect(event).toBe('a')
      break
    }
    expect(cancelled).toBe(true)
  })

  test('a line of one megabyte in pieces of ten bytes takes time with its length', async () => {
    const chunks = Array.from({ length: 100_000 }, () => Buffer.from('data: xxxx'))
    const before = performance.now()
    const [event = ''] = await eventsOf([...chunks, '\n\n'])
    expect(event.length).toBe(1_000_000 - 'data: '.length)
    expect(performance.now() - before).toBeLessThan(5_000)
  })
})

describe('readText', () => {
  test('joins bytes and refuses more than it was told to take', async () => {
    const bytes = [...Buffer.from('zwölf')].map((byte) => Buffer.from([byte]))
    expect(await readText(streamOf(bytes), 6)).toBe('zwölf')
    await expect(readText(streamOf(bytes), 5)).rejects.toMatchObject({ retryable: false })
  })
})
