import type postgres from 'postgres'
import { isQuery, type Query } from './connection.ts'

/** Types beyond the driver's own, by the name they have as `sql.typed.…`. */
export type Types = { bigint: number; numeric: number; day: string }

/** What a statement runs on when it does not care which: the database or one transaction. */
export type AnySql = postgres.ISql<Types>

/**
 * Makes the function that statements are written with. `words` is the driver, which makes queries
 * and their parts; each query is executed by `run`, when it is awaited and not before.
 */
export function statements<T extends object>(
  words: postgres.Sql<Types>,
  run: (query: Query) => void,
  own: T,
): AnySql & T {
  const call = (...args: unknown[]) => {
    const made = Reflect.apply(words, undefined, args)
    if (isQuery(made)) made.handler = run
    return made
  }
  const unsafe = (...args: unknown[]) => {
    const made = Reflect.apply(words.unsafe, undefined, args)
    if (isQuery(made)) made.handler = run
    return made
  }
  const { types, typed, json, array } = words
  return Object.assign(
    call,
    {
      types,
      typed,
      json,
      array,
      unsafe,
      notify: (channel: string, payload: string) => call`select pg_notify(${channel}, ${payload})`,
      file: () => {
        throw new TypeError('read the file, then run its text')
      },
    },
    own,
  )
}

const readWhole = (text: string): number => {
  const value = Number(text)
  if (Number.isSafeInteger(value)) return value
  throw new RangeError('a number of the database is no safe integer')
}

const writeWhole = (value: number): string => {
  if (Number.isSafeInteger(value)) return String(value)
  throw new RangeError('a number for the database is no safe integer')
}

/** How values and columns cross between the server and us. */
export const wording = {
  types: {
    bigint: { to: 20, from: [20], serialize: writeWhole, parse: readWhole },
    // sum(bigint) is numeric. A fraction throws as well: money has none, and a ratio says so by
    // a cast to float8.
    numeric: { to: 1700, from: [1700], serialize: String, parse: readWhole },
    // A date is a UTC day, `YYYY-MM-DD`; the driver's own Date would carry a time zone.
    day: { to: 1082, from: [1082], serialize: String, parse: String },
  },
  // Columns only: the driver's `camel` renames keys inside json as well.
  transform: {
    column: {
      from: (column: string): string =>
        column.replace(/(?<=[a-z0-9])_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase()),
      to: (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
    },
  },
}
