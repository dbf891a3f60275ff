import { type Answer, paymentJson, refused } from './lnbits-answers.ts'
import type { PlayRow } from './lnbits-books.ts'

const SORT_FIELDS = [
  'created_at',
  'updated_at',
  'amount',
  'fee',
  'memo',
  'time',
  'tag',
  'external_id',
]
const FILTER_FIELDS = [
  'status',
  'tag',
  'checking_id',
  'external_id',
  'amount',
  'fee',
  'memo',
  'time',
  'preimage',
  'payment_hash',
  'wallet_id',
  'labels',
]
const OPERATORS = ['eq', 'ne', 'gt', 'lt', 'ge', 'le', 'in', 'ex', 'like', 'every', 'any']
const PAGE_ROWS = 10
const PAGE_ROWS_MAX = 1000

/** `GET /payments` and `GET /payments/paginated`, with the quiet lies of their filters. */
export function listRows(rows: PlayRow[], query: URLSearchParams, paginated: boolean): Answer {
  const sortby = query.get('sortby') ?? (paginated ? undefined : 'time')
  const direction = query.get('direction') ?? (paginated ? 'asc' : 'desc')
  if (sortby !== undefined && !SORT_FIELDS.includes(sortby)) {
    return refused(
      400,
      '1 validation error for Filters\n__root__\n  Invalid sort field (type=value_error)',
    )
  }
  if (direction !== 'asc' && direction !== 'desc') {
    return refused(400, [
      { loc: ['query', 'direction'], msg: 'unexpected value', type: 'value_error' },
    ])
  }
  const filters = [...new Set(query.keys())].map((key) => readFilter(key, query.getAll(key)))
  const found = rows
    .filter((row) => paginated || row.status !== 'failed')
    .filter((row) => filters.every((filter) => filter === undefined || filter(row)))
  if (sortby !== undefined) {
    const sign = direction === 'asc' ? 1 : -1
    found.sort((a, b) => sign * compare(sortValue(a, sortby), sortValue(b, sortby)))
  }
  const offset = Number(query.get('offset') ?? 0)
  const page = found
    .slice(offset, offset + pageRows(query.get('limit')))
    .map((row) => paymentJson(row))
  return { status: 200, body: paginated ? { data: page, total: found.length } : page }
}

function pageRows(limit: string | null): number {
  if (limit === null) return PAGE_ROWS
  const rows = Number(limit)
  if (rows === 0) return PAGE_ROWS_MAX
  return rows < 0 ? Number.POSITIVE_INFINITY : Math.min(rows, PAGE_ROWS_MAX)
}

/** Unknown fields and operators are not refused: the filter is quietly left out. */
function readFilter(key: string, texts: string[]): ((row: PlayRow) => boolean) | undefined {
  const [, field, operator] = /^([a-z_0-9]+)(?:\[([a-z]+)\])?$/.exec(key) ?? []
  const op = operator ?? 'eq'
  if (field === undefined || !FILTER_FIELDS.includes(field) || !OPERATORS.includes(op))
    return undefined
  const several = ['in', 'ex', 'every', 'any'].includes(op)
  const values = several ? texts.flatMap((text) => text.split(',')) : texts
  const holds = (row: PlayRow) => values.map((value) => holdsOne(row, field, op, value))
  if (op === 'ex') return (row) => holds(row).every(Boolean)
  return op === 'every' ? (row) => holds(row).every(Boolean) : (row) => holds(row).some(Boolean)
}

function holdsOne(row: PlayRow, field: string, op: string, text: string): boolean {
  const actual = fieldValue(row, field)
  if (op === 'like' || op === 'every' || op === 'any') return String(actual).includes(text)
  const wanted = typeof actual === 'number' ? readNumber(field, text) : text
  const order = compare(actual, wanted)
  switch (op) {
    case 'ne':
    case 'ex':
      return order !== 0
    case 'gt':
      return order > 0
    case 'lt':
      return order < 0
    case 'ge':
      return order >= 0
    case 'le':
      return order <= 0
    default:
      return order === 0
  }
}

function readNumber(field: string, text: string): number {
  if (field !== 'time') return Number(text)
  return /^\d+$/.test(text) ? Number(text) : Date.parse(text) / 1000
}

function sortValue(row: PlayRow, field: string): string | number {
  if (field === 'updated_at') return row.updatedAt
  return field === 'created_at' ? row.createdAt : fieldValue(row, field)
}

function fieldValue(row: PlayRow, field: string): string | number {
  switch (field) {
    case 'amount':
      return row.amountMsat
    case 'fee':
      return row.feeMsat
    case 'time':
      return row.createdAt / 1000
    case 'checking_id':
      return row.checkingId
    case 'payment_hash':
      return row.paymentHash
    case 'wallet_id':
      return row.walletId
    case 'external_id':
      return row.externalId ?? ''
    case 'labels':
      return JSON.stringify(row.labels)
    case 'status':
      return row.status
    case 'tag':
      return row.tag ?? ''
    case 'memo':
      return row.memo
    default:
      return row.preimage ?? ''
  }
}

function compare(a: string | number, b: string | number): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}
