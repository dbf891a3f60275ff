import { globSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { exceptions } from '../support/tidy/exceptions.ts'
import { habitRules } from '../support/tidy/habits.ts'
import { importCycles, importRules } from '../support/tidy/imports.ts'
import { namelessConstraints } from '../support/tidy/migrations.ts'
import { type Rule, report } from '../support/tidy/rule.ts'
import { COLUMNS, FILE_LINES, sizeRules, wideLines } from '../support/tidy/sizes.ts'
import { parseSource, readSources } from '../support/tidy/source.ts'
import { testRules } from '../support/tidy/tests.ts'
import { wordRules } from '../support/tidy/words.ts'

const rules: Rule[] = [...importRules, ...sizeRules, ...habitRules, ...testRules, ...wordRules]
const ruleCalled = (title: string): Rule => {
  const rule = rules.find((one) => one.title === title)
  if (!rule) throw new Error(`no rule is called "${title}"`)
  return rule
}
const migrations = globSync('migrations/*.sql').toSorted()

describe('the tree', () => {
  const sources = readSources()

  test('is read whole', () => {
    expect(sources.map(({ path }) => path)).toEqual(
      expect.arrayContaining(['src/limits.ts', 'test/unit/tidy.test.ts']),
    )
  })

  test.each(rules)('$title', (rule) => {
    const excepted = new Set(exceptions.filter(([title]) => title === rule.title).map(([, p]) => p))
    const held = sources.filter(({ path }) => !excepted.has(path))
    expect(held.flatMap((source) => report(rule, source))).toEqual([])
  })

  test.each(exceptions)('"%s" needs its exception for %s', (title, path) => {
    const source = sources.find((one) => one.path === path)
    expect(source && report(ruleCalled(title), source)).not.toEqual([])
  })

  test('no import leads back to its own file', () => {
    expect(importCycles(sources)).toEqual([])
  })

  test('every constraint of the database has a name', () => {
    const nameless = migrations.flatMap((path) =>
      namelessConstraints(readFileSync(path, 'utf8')).map(
        ({ line, what }) => `${path}:${line}: ${what}`,
      ),
    )
    expect(nameless).toEqual([])
  })

  test('migrations are numbered nouns without a gap, and say why in their first line', () => {
    expect(migrations.length).toBeGreaterThan(0)
    for (const [index, path] of migrations.entries()) {
      const number = String(index + 1).padStart(4, '0')
      expect(path).toMatch(new RegExp(`^migrations/${number}_[a-z]+(_[a-z]+)*\\.sql$`))
      expect(`${path}: ${readFileSync(path, 'utf8').split('\n')[0]}`).toMatch(/: -- \S.{10,}/)
    }
  })

  test('the changelog says what comes next', () => {
    expect(readFileSync('CHANGELOG.md', 'utf8')).toMatch(/^## \[?Unreleased\]?$/m)
  })
})

/**
 * A planted breach for each rule, since a rule that finds nothing may be one that cannot. The
 * second text is the nearest thing that is allowed.
 */
const planted: [title: string, path: string, breach: string, allowed: string][] = [
  [
    'imports point one way',
    'src/money/a.ts',
    `import { now } from '../clock.ts'`,
    `import { ALL_SATS } from '../limits.ts'`,
  ],
  [
    'imports point one way',
    'src/store/a.ts',
    `import { wrap } from '../nostr/wrap.ts'`,
    `import { decide } from '../money/decide.ts'`,
  ],
  [
    'imports point one way',
    'src/doors/a.ts',
    `import { parse } from '../nostr/types.ts'`,
    `import type { NostrEvent } from '../nostr/types.ts'`,
  ],
  [
    'imports point one way',
    'src/nostr/a.ts',
    `const it = await import('../journey/accept.ts')`,
    `const it = await import('./event.ts')`,
  ],
  [
    'imports point one way',
    'src/journey/a.ts',
    `import { start } from '../daemon.ts'`,
    `import { jobs } from '../store/jobs.ts'`,
  ],
  [
    'imports point one way',
    'src/journey/accept.ts',
    `import { openGround } from '../ground.ts'`,
    `import type { Log } from '../log.ts'`,
  ],
  [
    'imports point one way',
    'src/limits.ts',
    `export { decide } from './money/decide.ts'`,
    `import { secret } from './secret.ts'`,
  ],
  [
    'the source never imports tests or benches',
    'src/main.ts',
    `import { forge } from '../test/support/forge.ts'`,
    `import { start } from './daemon.ts'`,
  ],
  [
    'steps of the journey do not import each other',
    'src/journey/accept.ts',
    `import { quote } from './quote.ts'`,
    `import { batcher } from './batcher.ts'`,
  ],
  [
    'a package is imported in its one home',
    'src/journey/a.ts',
    `import postgres from 'postgres'`,
    `import type postgres from 'postgres'`,
  ],
  [
    'a package is imported in its one home',
    'src/doors/a.ts',
    `import { decode } from 'nostr-tools/nip19'`,
    `import { z } from 'zod'`,
  ],
  ['a package is imported in its one home', 'src/money/a.ts', `import { z } from 'zod'`, ''],
  [
    'a package is imported in its one home',
    'src/store/a.ts',
    `import { get } from 'node:https'`,
    `import { randomUUID } from 'node:crypto'`,
  ],
  [
    'no file only hands on what others export',
    'src/nostr/index.ts',
    `export { a } from './a.ts'\nexport { b } from './b.ts'`,
    `export { a } from './a.ts'\nexport const b = 1`,
  ],
  [
    `no file is longer than ${FILE_LINES} lines`,
    'src/a.ts',
    '\n'.repeat(FILE_LINES + 1),
    '\n'.repeat(FILE_LINES),
  ],
  [
    `no line is wider than ${COLUMNS} columns`,
    'src/a.ts',
    `// ${'x'.repeat(COLUMNS)}`,
    `// ${'😀'.repeat(COLUMNS - 3)}`,
  ],
  [
    'only config.ts and main.ts read the environment',
    'src/log.ts',
    `const level = process.env.LOG_LEVEL`,
    `const text = 'process.env.LOG_LEVEL'`,
  ],
  [
    'only config.ts and main.ts read the environment',
    'test/unit/a.test.ts',
    `const { env } = process`,
    `const { pid } = process`,
  ],
  [
    'only the clock tells the time and makes pauses',
    'src/journey/a.ts',
    `const at = Date.now()`,
    `const at = clock.now(); const day = new Date(at)`,
  ],
  [
    'only the clock tells the time and makes pauses',
    'src/journey/a.ts',
    `setTimeout(look, 10)`,
    `clock.setTimeout(look, 10)`,
  ],
  [
    'only the clock tells the time and makes pauses',
    'src/journey/a.ts',
    `await new Promise((resolve) => setTimeout(resolve, 5)); `,
    `await clock.sleep(5)`,
  ],
  [
    'only the clock tells the time and makes pauses',
    'src/journey/a.ts',
    `import { setTimeout as wait } from 'node:timers/promises'`,
    `const day = new Date(0)`,
  ],
  [
    'only the clock tells the time and makes pauses',
    'src/journey/a.ts',
    `const now = new Date()`,
    `// new Date() would be the process's clock.`,
  ],
  [
    'nothing in the source writes to the console',
    'src/main.ts',
    `console.log('started')`,
    `print.console('started')`,
  ],
  [
    'SQL is a tagged template outside migrations',
    'src/store/a.ts',
    'await sql.unsafe(`delete from jobs`)',
    'await sql`delete from jobs`',
  ],
  [
    'only lightning and backends fetch',
    'src/operator/a.ts',
    `await fetch(url)`,
    `await relay.fetch(url)`,
  ],
  [
    'money is the same whenever and however often it is asked',
    'src/money/a.ts',
    `const part = Math.random()`,
    `const part = Math.floor(1.5)`,
  ],
  ['exports have names', 'src/a.ts', `export default 1`, `export const one = 1`],
  ['no value escapes its type', 'src/a.ts', `const a: any = 1`, `const any: number = 1`],
  ['no value escapes its type', 'src/a.ts', `f(a as unknown as B)`, `f(a as B)`],
  [
    'no value escapes its type',
    'src/a.ts',
    `// @ts-expect-error`,
    `// @ts-expect-error The types say so.`,
  ],
  ['the source runs as written, without a build', 'src/a.ts', `enum A { B }`, `type A = 'B'`],
  ['no comment leaves work or noise behind', 'src/a.ts', `// TODO later`, `const TODO = 1`],
  ['no comment leaves work or noise behind', 'src/a.ts', `// -------- Money`, `// - money`],
  [
    'no test is skipped, focused or expected to fail',
    'test/unit/a.test.ts',
    `describe.skip('a', () => {})`,
    `relay.skip('a')`,
  ],
  [
    'no test is skipped, focused or expected to fail',
    'test/unit/a.test.ts',
    `test.skipIf(!url)('a', () => expect(1).toBe(1))`,
    `test.each([1])('a', () => expect(1).toBe(1))`,
  ],
  [
    'every test expects something',
    'test/unit/a.test.ts',
    `test('a is b', () => { a() })`,
    `test('a is b', () => { a() }); function a() { expect(1).toBe(1) }`,
  ],
  [
    'every test expects something',
    'test/unit/a.test.ts',
    `test.each([1])('a is %i', async (a) => { await b(a) })`,
    `test.each([1])('a is %i', async (a) => { await expectDone(a) })`,
  ],
  [
    'test titles are claims',
    'test/unit/a.test.ts',
    `test('a payment should add once', () => expect(1).toBe(1))`,
    `test('a replayed payment adds nothing', () => expect(1).toBe(1))`,
  ],
  [
    'no test names a host that exists',
    'test/unit/a.test.ts',
    // Put together here, as the rule reads this file too.
    ['wss', '://relay.one.net/path'].join('').replace(/.*/, "connect('$&')"),
    ['connect(`wss://relay.', '{name}`, `ws://[::1]`, `wss://relay.test:7000`)'].join('$'),
  ],
  [
    'no name has a banned word in it',
    'src/a.ts',
    `export class RelayManager {}`,
    `export class FreeTierService {}`,
  ],
  ['no name has a banned word in it', 'src/nostr/utils.ts', ``, `const used = options.user`],
  ['no name has a banned word in it', 'src/a.ts', `function f(userKey: string) {}`, `f(userKey)`],
  [
    'pool means the money',
    'src/a.ts',
    `const relayPool = new Map()`,
    `const relays = new SimplePool()`,
  ],
  [
    'numbers of money and time end in their unit',
    'src/a.ts',
    `interface A { timeout: number }`,
    `interface A { timeoutMs: number; timeout: boolean }`,
  ],
  [
    'numbers of money and time end in their unit',
    'src/a.ts',
    `class A { poolBalance: number = 0 }`,
    `class A { poolBalanceSats: number = 0 }`,
  ],
]

describe('the rules themselves', () => {
  test.each(planted)('%s: found in %s', (title, path, breach, allowed) => {
    const rule = ruleCalled(title)
    const found = report(rule, parseSource(path, breach))
    expect(found).toHaveLength(1)
    expect(found[0]).toMatch(/^[^:]+\.ts:\d+: ./)
    expect(report(rule, parseSource('src/allowed.ts', ''))).toEqual([])
    const neighbour = path.replace('utils', 'wraps')
    expect(report(rule, parseSource(neighbour, allowed))).toEqual([])
  })

  test('every rule has a planted breach', () => {
    const tried = new Set(planted.map(([title]) => title))
    expect(rules.map(({ title }) => title).filter((title) => !tried.has(title))).toEqual([])
  })

  test('a breach is reported with its file and line', () => {
    const source = parseSource('src/a.ts', '\n\n// Why.\nexport default 1\n')
    expect(report(ruleCalled('exports have names'), source)).toEqual([
      'src/a.ts:4: a default export has no name to search for',
    ])
  })

  test.each([
    ['id bigint primary key', 1],
    ['id bigint constraint jobs_pkey primary key', 0],
    ['id bigint references jobs (id)', 1],
    ['id bigint constraint mail_job references jobs (id)', 0],
    ['constraint mail_job foreign key (id) references jobs (id)', 0],
    ['foreign key (id) references jobs (id)', 1],
    ['a int check (a > 0), b int unique', 2],
    ['a int constraint a_positive check (a > 0)', 0],
    ["a text default 'check unique' -- primary key", 0],
    ['create unique index a on b (c)', 0],
    ['create function f() returns int as $$ select 1 -- check\n unique $$', 0],
  ])('"%s" has %i nameless constraints', (sql, count) => {
    expect(namelessConstraints(sql)).toHaveLength(count)
  })

  test('a circle of imports is found, one of types is none', () => {
    const circle = [
      parseSource('src/a.ts', `import { b } from './b.ts'`),
      parseSource('src/b.ts', `import { c } from './c.ts'`),
      parseSource('src/c.ts', `export { b } from './b.ts'\nimport type { a } from './a.ts'`),
    ]
    expect(importCycles(circle)).toEqual(['src/b.ts → src/c.ts → src/b.ts'])
  })

  test('a wide line is found in any text', () => {
    expect(wideLines({ text: `a\n${'b'.repeat(COLUMNS + 1)}\n` })).toEqual([
      { offset: 2, what: `${COLUMNS + 1} columns` },
    ])
  })
})
