import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseJson } from '../../src/json.ts'
import { JSON_DEPTH } from '../../src/limits.ts'

const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`

describe('parseJson', () => {
  test('answers what JSON.parse answers for any harmless value', () => {
    fc.assert(
      fc.property(fc.json({ stringUnit: 'grapheme', maxDepth: 8 }), (text) => {
        const parsed = parseJson(text)
        if (parsed.ok) expect(parsed.value).toEqual(JSON.parse(text))
        else expect(['nul', 'duplicate-key', 'proto']).toContain(parsed.reason)
      }),
    )
  })

  test.each([
    ['', 'syntax'],
    ['{', 'syntax'],
    ['"open', 'syntax'],
    ['"open\\"', 'syntax'],
    ['"a\\qb"', 'syntax'],
    ['{"a":1} {"b":2}', 'syntax'],
    ['[1,]', 'syntax'],
    ['{"a":1,}', 'syntax'],
    ['[1}', 'syntax'],
    [']', 'syntax'],
    ['NaN', 'syntax'],
    ["{'a':1}", 'syntax'],
    ['"a\u0000b"', 'syntax'],
    ['"a\\u0000b"', 'nul'],
    ['{"a\\u0000":1}', 'nul'],
    ['{"a":["\\u0000"]}', 'nul'],
    ['"\\ud800"', 'surrogate'],
    ['"\\udc00\\ud800"', 'surrogate'],
    ['"a\ud800b"', 'surrogate'],
    ['{"a":{"b\\udfff":1}}', 'surrogate'],
    ['{"a":1,"a":1}', 'duplicate-key'],
    ['{"a":1,"\\u0061":2}', 'duplicate-key'],
    ['{"x":{"a":1,"b":2,"a":3}}', 'duplicate-key'],
    ['[{"a":1},{"b":[],"b":0}]', 'duplicate-key'],
    ['{"":1,"":2}', 'duplicate-key'],
    ['{"__proto__":{"tier":"elite"}}', 'proto'],
    ['{"a":[{"\\u005f_proto__":1}]}', 'proto'],
  ])('refuses %j as %s', (text, reason) => {
    expect(parseJson(text)).toEqual({ ok: false, reason })
  })

  test.each([
    ['{"a":{"a":{"a":1}}}'],
    ['[{"a":1},{"a":1}]'],
    ['{"a":"a","b":"a"}'],
    ['["a","a",{"a":["a","a"]},"a"]'],
    ['{"a":"{\\"a\\":1,\\"a\\":2}","b":"[[[["}'],
    ['{"a\\\\":1,"a":2}'],
    ['"\\\\\\""'],
    ['"__proto__"'],
    ['"\\ud83d\\ude00 \\u00e9"'],
    ['{"a":1,"A":2,"a ":3}'],
    [' {"a" : [ 1 , 2.5e3, null ,true ] } '],
  ])('reads %s', (text) => {
    expect(parseJson(text)).toEqual({ ok: true, value: JSON.parse(text) })
  })

  test('nesting is read to the limit and refused beyond it', () => {
    expect(parseJson(nested(JSON_DEPTH)).ok).toBe(true)
    expect(parseJson(nested(JSON_DEPTH + 1))).toEqual({ ok: false, reason: 'depth' })
    expect(parseJson('{"a":{"b":1}}', 1)).toEqual({ ok: false, reason: 'depth' })
    expect(parseJson('{"a":1}', 1).ok).toBe(true)
  })

  // A recursive scanner overflows here, a scanner that looks back from every quote takes minutes.
  test('a megabyte of brackets, backslashes, quotes or keys ends at once', () => {
    expect(parseJson(nested(500_000))).toEqual({ ok: false, reason: 'depth' })
    expect(parseJson('{"a":'.repeat(200_000))).toEqual({ ok: false, reason: 'depth' })
    expect(parseJson(`"${'\\'.repeat(1_000_000)}"`).ok).toBe(true)
    expect(parseJson(`"${'\\"'.repeat(500_000)}"`).ok).toBe(true)
    expect(parseJson(`["${'\\u0041'.repeat(150_000)}"]`).ok).toBe(true)
    const keys = Array.from({ length: 80_000 }, (_, n) => `"k${n}":0`)
    expect(parseJson(`{${keys.join()}}`).ok).toBe(true)
  })

  test('a parsed object has no other prototype than its own kind', () => {
    const parsed = parseJson('{"constructor":{"prototype":{"x":1}}}')
    expect(parsed.ok && Object.getPrototypeOf(parsed.value)).toBe(Object.prototype)
    expect('x' in {}).toBe(false)
  })
})
