import { z } from 'zod'
import { reasonCodes } from '../../../src/doors/protocol.ts'

/** One field of a message as docs/protocol.md writes it. */
export interface FieldRow {
  /** Dotted below objects, `[]` below lists. */
  field: string
  kind: string
  always: boolean
}

interface Schema {
  type?: string
  const?: unknown
  enum?: unknown[]
  anyOf?: Schema[]
  oneOf?: Schema[]
  properties?: Record<string, Schema>
  required?: string[]
  items?: Schema
}

/** The fields of a schema without `type`; one that only some variants have is not `always`. */
export function fieldRows(schema: z.ZodType, io: 'input' | 'output'): FieldRow[] {
  const json = z.toJSONSchema(schema, { io }) as Schema
  const variants = json.oneOf ?? json.anyOf ?? [json]
  const rows = new Map<string, FieldRow[]>()
  for (const variant of variants) {
    for (const row of rowsOf(variant, '')) {
      if (row.field !== 'type') rows.set(row.field, [...(rows.get(row.field) ?? []), row])
    }
  }
  return [...rows.entries()].map(([field, found]) => ({
    field,
    kind: mergeKinds(found.map(({ kind }) => kind)),
    always: found.length === variants.length && found.every(({ always }) => always),
  }))
}

function rowsOf(schema: Schema, prefix: string): FieldRow[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, value]) => {
    const field = prefix + name
    const always = schema.required?.includes(name) ?? false
    if (value.type === 'object') return rowsOf(value, `${field}.`)
    if (value.type === 'array' && value.items?.type === 'object') {
      return rowsOf(value.items, `${field}[].`)
    }
    if (value.type === 'array') return [{ field: `${field}[]`, kind: kindOf(value.items), always }]
    return [{ field, kind: kindOf(value), always }]
  })
}

function kindOf(schema: Schema = {}): string {
  if (schema.const !== undefined) return `\`${String(schema.const)}\``
  if (schema.enum && String(schema.enum) === String(reasonCodes)) return 'reason code'
  if (schema.enum) return schema.enum.map((choice) => `\`${String(choice)}\``).join(', ')
  if (schema.anyOf) return schema.anyOf.map(kindOf).join(' or ')
  if (schema.type === 'string') return 'text'
  return schema.type ?? 'unknown'
}

const mergeKinds = (kinds: string[]) => {
  const choices = [...new Set(kinds.flatMap((kind) => kind.split(', ')))]
  return choices.join(', ')
}
