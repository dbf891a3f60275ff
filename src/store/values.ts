const readWhole = (text: string): number => {
  const value = Number(text)
  if (Number.isSafeInteger(value)) return value
  throw new RangeError('a number of the database is no safe integer')
}

const writeWhole = (value: number): string => {
  if (Number.isSafeInteger(value)) return String(value)
  throw new RangeError('a number for the database is no safe integer')
}

const readHex = (text: string): Buffer => Buffer.from(text.slice(2), 'hex')
const writeHex = (value: Uint8Array): string => `\\x${Buffer.from(value).toString('hex')}`
const writeInstant = (value: Date | string): string => new Date(value).toISOString()

/** Types that the driver reads otherwise. */
const scalars = {
  bigint: { to: 20, from: [20], serialize: writeWhole, parse: readWhole },
  // sum(bigint) is numeric. A fraction throws as well: money has none, and a ratio says so by
  // a cast to float8.
  numeric: { to: 1700, from: [1700], serialize: String, parse: readWhole },
  // A date is a UTC day, `YYYY-MM-DD`; the driver's own Date would carry a time zone.
  day: { to: 1082, from: [1082], serialize: String, parse: String },
}

/**
 * Arrays, by the fixed numbers of their types. The driver would ask each server for them, in a
 * query of its own whose failure nobody can catch, and build the first statement without them.
 */
const arrays = {
  booleans: array(
    1000,
    (value: boolean) => (value ? 't' : 'f'),
    (text) => text === 't',
  ),
  bytes: array(1001, writeHex, readHex),
  smallints: array(1005, writeWhole, Number),
  ints: array(1007, writeWhole, Number),
  texts: array(1009, String, String),
  varchars: array(1015, String, String),
  bigints: array(1016, writeWhole, readWhole),
  floats: array(1022, String, Number),
  days: array(1182, String, String),
  instants: array(1185, writeInstant, (text) => new Date(text)),
  numerics: array(1231, String, readWhole),
  uuids: array(2951, String, String),
  jsons: array(199, JSON.stringify, (text) => JSON.parse(text)),
  jsonbs: array(3807, JSON.stringify, (text) => JSON.parse(text)),
}

export const valueTypes = { ...scalars, ...arrays }

/** Number of the array type by that of its elements, as `sql.array(values, 20)` names them. */
const ARRAY_OF: Record<number, number> = {
  ...{ 16: 1000, 17: 1001, 21: 1005, 23: 1007, 25: 1009, 1043: 1015, 20: 1016, 701: 1022 },
  ...{ 1082: 1182, 1184: 1185, 1700: 1231, 2950: 2951, 114: 199, 3802: 3807 },
}

/** Of values without a named type, by the first that is not null. */
export function arrayTypeOf(values: readonly unknown[], elementType: number | undefined): number {
  if (elementType !== undefined) return ARRAY_OF[elementType] ?? 0
  const first = values.find((value) => value !== null)
  if (typeof first === 'number') return arrays.bigints.to
  if (typeof first === 'boolean') return arrays.booleans.to
  if (first instanceof Date) return arrays.instants.to
  if (first instanceof Uint8Array) return arrays.bytes.to
  return arrays.texts.to
}

function array<T>(oid: number, write: (value: T) => string, read: (text: string) => unknown) {
  return {
    to: oid,
    from: [oid],
    serialize: (values: readonly (T | null)[]) => writeArray(values, write),
    parse: (text: string) => readArray(text).map((item) => (item === null ? null : read(item))),
  }
}

function writeArray<T>(values: readonly (T | null)[], write: (value: T) => string): string {
  let text = ''
  for (const value of values) {
    if (value === undefined) throw new TypeError('undefined in an array for the database')
    text += value === null ? ',NULL' : `,"${escapeItem(write(value))}"`
  }
  return `{${text.slice(1)}}`
}

/** Without a regular expression, which takes most of the time that a batch's arrays are written in. */
function escapeItem(text: string): string {
  const escaped = text.includes('\\') ? text.replaceAll('\\', '\\\\') : text
  return escaped.includes('"') ? escaped.replaceAll('"', '\\"') : escaped
}

/** Reads an array of one dimension: `{plain,"quo\"ted",NULL}`. */
function readArray(text: string): (string | null)[] {
  if (!text.startsWith('{')) throw new TypeError('an array of the database has bounds')
  const items: (string | null)[] = []
  for (const [, quoted, plain] of text.slice(1, -1).matchAll(/"((?:[^"\\]|\\.)*)"|([^,]+)/gs)) {
    if (plain?.startsWith('{')) throw new TypeError('an array of the database is nested')
    if (quoted !== undefined) items.push(quoted.replace(/\\(.)/gs, '$1'))
    else items.push(plain === undefined || plain === 'NULL' ? null : plain)
  }
  return items
}
