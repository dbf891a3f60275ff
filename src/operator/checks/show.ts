import type { Terminal } from '../../terminal.ts'
import type { Check } from './check.ts'

const styles = { ok: 'green', warn: 'yellow', fail: 'red' } as const

/** A check as a person reads it: one line, and the remedy below it. */
export function linesOf(
  { about, verdict, text, remedy }: Check,
  { paint }: Pick<Terminal, 'paint'>,
): string[] {
  const line = `${paint(styles[verdict], verdict.padEnd(5))} ${about}: ${text}`
  return remedy === undefined ? [line] : [line, `      ${remedy}`]
}
