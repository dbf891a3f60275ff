import { CommandError } from '../command.ts'
import { ROWS_LISTED } from '../limits.ts'

/** A number of rows as it was typed. */
export function readCount(text: string | undefined, flag: string, fallback: number): number {
  if (text === undefined) return fallback
  const count = Number(text)
  if (/^[1-9]\d{0,6}$/.test(text) && count <= ROWS_LISTED) return count
  throw new CommandError(`${flag} takes a whole number from 1 to ${ROWS_LISTED}.`, { status: 2 })
}
