import { createHash } from 'node:crypto'

/** What happened in a world, line by line; the same seed writes the same bytes. */
export interface Trace {
  note(text: string): void
  lines(): readonly string[]
  /** SHA-256 of all lines. */
  hash(): string
}

export function createTrace(now: () => number, startMs: number): Trace {
  const lines: string[] = []
  return {
    note(text) {
      lines.push(`${((now() - startMs) / 1000).toFixed(3)} ${text}`)
    },
    lines: () => lines,
    hash: () => createHash('sha256').update(lines.join('\n')).digest('hex'),
  }
}
