import type postgres from 'postgres'
import { isQuery, type Query } from './connection.ts'
import { arrayTypeOf } from './values.ts'

/** What a statement runs on when it does not care which: the database or one transaction. */
export type AnySql = postgres.ISql

/**
 * Makes the function that statements are written with. `words` is the driver, which makes queries
 * and their parts; each query is executed by `run`, when it is awaited and not before.
 */
export function statements<T extends object>(
  words: postgres.Sql,
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
  const array: AnySql['array'] = (values, elementType) =>
    words.array(values, arrayTypeOf(values, elementType))
  const { types, typed, json } = words
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

/** How columns are named here and there. Not values: the driver's `camel` renames keys in json too. */
export const columnNames = {
  column: {
    from: (column: string): string =>
      column.replace(/(?<=[a-z0-9])_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase()),
    to: (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
  },
}
