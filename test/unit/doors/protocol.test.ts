import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import {
  programRequestSchema,
  reasonCodes,
  replySchema,
  replySchemas,
  requestSchemas,
} from '../../../src/doors/protocol.ts'
import { type FieldRow, fieldRows } from './protocol-table.ts'

const page = readFileSync(new URL('../../../docs/protocol.md', import.meta.url), 'utf8')

/** The rows of the first table under a heading, one list of cells each, code marks kept. */
function tableUnder(heading: string): string[][] {
  const after = page.slice(page.indexOf(`\n${heading}\n`) + heading.length + 1)
  const lines = after.split('\n')
  const start = lines.findIndex((line) => line.startsWith('| ---'))
  const end = lines.findIndex((line, index) => index > start && !line.startsWith('|'))
  return lines.slice(start + 1, end).map((line) =>
    line
      .slice(1, line.lastIndexOf('|'))
      .split('|')
      .map((cell) => cell.trim()),
  )
}

const bare = (cell = '') => cell.replaceAll('`', '')

function documented(heading: string): Map<string, FieldRow[]> {
  const types = new Map<string, FieldRow[]>()
  for (const [type, field, kind = '', always] of tableUnder(heading)) {
    const rows = types.get(bare(type)) ?? []
    if (field) rows.push({ field: bare(field), kind, always: always === 'yes' })
    types.set(bare(type), rows)
  }
  return types
}

const inCode = (schemas: typeof requestSchemas | typeof replySchemas, io: 'input' | 'output') =>
  new Map(Object.entries(schemas).map(([type, schema]) => [type, fieldRows(schema, io)]))

/**
 * The fields that clients were promised, by name; more may join them. Written down here as well so
 * that a rename in schema and page together is still caught.
 */
const promised: Record<string, string[]> = {
  estimate: [
    'estimatedSats',
    'btcPriceUsd',
    'tokenEstimate.input',
    'tokenEstimate.output',
    'model',
    'identity.tier',
    'identity.free_tier.serve',
    'identity.free_tier.absorbSats',
    'identity.free_tier.chargeSats',
    'pool.balanceSats',
    'pool.dailyBudgets.new',
    'pool.dailyBudgets.established',
    'pool.dailyBudgets.trusted',
    'pool.dailyBudgets.elite',
  ],
  invoice: [
    'purpose',
    'bolt11',
    'chargeSats',
    'expiresAt',
    'jobId',
    'serve',
    'estimatedSats',
    'absorbSats',
  ],
  working: ['jobId', 'serve', 'free_tier', 'paidFrom', 'chargeSats', 'absorbSats'],
  result: [
    'jobId',
    'result',
    'part',
    'parts',
    'actualSats',
    'absorbed_sats',
    'chargeSats',
    'refundSats',
    'balanceSats',
    'free_tier',
    'usage.input',
    'usage.output',
  ],
  failed: ['jobId', 'reason', 'message', 'refundSats', 'balanceSats'],
  expired: ['jobId'],
  refused: ['reason', 'message', 'limit'],
  job: [
    'jobId',
    'state',
    'reason',
    'createdAt',
    'estimatedSats',
    'chargeSats',
    'absorbed_sats',
    'refundSats',
  ],
  jobs: ['jobs[].jobId'],
  balance: ['balanceSats', 'availableSats', 'change', 'reason', 'jobId'],
  why: ['tier', 'source', 'budgetSats', 'absorbedTodaySats', 'roomSats', 'next'],
  pool: [
    'balanceSats',
    'state',
    'dailyBudgets.new',
    'today.free',
    'today.partial',
    'today.paid',
    'today.absorbedSats',
    'today.creditedSats',
  ],
  withdrawal: ['state', 'sats', 'feeSats', 'balanceSats'],
  models: [
    'models[].name',
    'models[].inputUsdPerMillion',
    'models[].outputUsdPerMillion',
    'models[].maxOutputTokens',
  ],
  help: ['commands[]', 'protocol'],
}

describe('the page for client developers and the schemas', () => {
  test('list the same requests with the same fields', () => {
    expect(documented('### Requests')).toEqual(inCode(requestSchemas, 'input'))
  })

  test('list the same replies with the same fields', () => {
    expect(documented('### Replies')).toEqual(inCode(replySchemas, 'output'))
  })

  test('list the same reason codes in the same order', () => {
    expect(tableUnder('### Reason codes').map(([code]) => bare(code))).toEqual([...reasonCodes])
  })

  test('name every command in words with a request that exists', () => {
    for (const [, type = ''] of tableUnder('## Words')) {
      expect(Object.keys(requestSchemas)).toContain(/`(\w+)`/.exec(type)?.[1])
    }
  })
})

describe('what clients were promised', () => {
  test('every request type is there', () => {
    const types =
      'job estimate job_status jobs cancel balance why topup donate withdraw pool models help'
    expect(Object.keys(requestSchemas)).toEqual(types.split(' '))
  })

  test.each(Object.entries(promised))('%s has every promised field', (type, fields) => {
    const found = inCode(replySchemas, 'output').get(type) ?? []
    expect(found.map(({ field }) => field)).toEqual(expect.arrayContaining(fields))
  })

  test('no reply type beyond the promised ones exists', () => {
    expect(Object.keys(replySchemas).sort()).toEqual(Object.keys(promised).sort())
  })

  test('the two unions know every type of their tables', () => {
    expect(programRequestSchema.options).toEqual(Object.values(requestSchemas))
    expect(replySchema.options).toEqual(Object.values(replySchemas))
  })

  test('unknown fields of a request are dropped, wrong kinds are refused', () => {
    expect(programRequestSchema.parse({ type: 'job', request: 'x', colour: 'red' })).toEqual({
      type: 'job',
      request: 'x',
    })
    for (const wrong of [
      { type: 'job' },
      { type: 'job', request: 5 },
      { type: 'job', request: 'x', model: null },
      { type: 'topup', sats: '100' },
      { type: 'topup', sats: 1.5 },
      { type: 'topup', sats: 1e308 },
      { type: 'jobs', limit: 21 },
      { type: 'nothing' },
    ]) {
      expect(programRequestSchema.safeParse(wrong).success).toBe(false)
    }
  })
})
