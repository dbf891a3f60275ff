import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { audit } from '../../../../src/operator/commands/audit.ts'
import { backup, restore } from '../../../../src/operator/commands/backup.ts'
import { readTableOrder } from '../../../../src/store/backup.ts'
import type { Sql } from '../../../../src/store/database.ts'
import { sealLedger } from '../../../../src/store/seals.ts'
import { type BotLab, botLab } from '../../../support/bot.ts'
import { commandOn } from '../../../support/command.ts'
import { freshDatabase, type TestDatabase } from '../../../support/database.ts'
import { someKey } from '../../../support/journey.ts'
import { scratchDir } from '../../../support/tithe.ts'
import { until } from '../../../support/until.ts'

/** Everything the tables hold, as the server writes it. */
async function contents(sql: Sql): Promise<Record<string, string[]>> {
  const tables = await readTableOrder(sql)
  const found: Record<string, string[]> = {}
  for (const table of tables) {
    const rows = await sql<{ line: string }[]>`select t::text as line from ${sql(table)} t`
    found[table] = rows.map(({ line }) => line).toSorted()
  }
  return found
}

/** A database without anything in it, not even tables. */
async function emptyDatabase(): Promise<TestDatabase> {
  return freshDatabase({ template: 'template0' })
}

/** A bot with a life behind it: jobs of all kinds, a balance, a withdrawal, odd texts, seals. */
async function lived(lab: BotLab): Promise<string> {
  const bot = await lab.bot({ priceSats: 30 })
  const customer = someKey()
  await lab.topUp(bot, customer, 2_000)
  await bot.dm(customer, 'ends of lines: \u2028 \u2029 \r\n "quoted" \\ and emoji 🫡')
  await lab.hears(customer, 'result')
  await bot.dm(customer, `/withdraw ${lab.outside(700).bolt11}`)
  await until('the withdrawal is done', async () => (await lab.withdrawalStates())[0] === 'done')
  await bot.dm(someKey(), 'never paid')
  await bot.stop()
  while (await sealLedger(lab.sql));
  return customer
}

test('a restored database holds what was backed up, to the last digit, and its seals match', async () => {
  await using lab = await botLab()
  using scratch = scratchDir()
  const file = join(scratch.path, 'backup')
  const customer = await lived(lab)
  expect(await backup(commandOn(lab.db.url), { file })).toBe(0)
  expect(statSync(file).mode & 0o777).toBe(0o600)
  await using other = await emptyDatabase()
  const context = commandOn(other.url)
  expect(await restore(context, { file, json: true })).toBe(0)
  expect(await contents(other.sql)).toEqual(await contents(lab.sql))
  expect(await audit(context, { json: true })).toBe(0)
  expect(JSON.parse(context.terminal.printed.at(-1) ?? '')).toMatchObject({
    ok: true,
    seals: { seals: 1, unsealedRows: 0 },
  })
  expect(JSON.stringify(await contents(other.sql))).toContain(customer)
})

test('a bot goes on from a restored database: same balance, new numbers, books that add up', async () => {
  await using lab = await botLab()
  using scratch = scratchDir()
  const file = join(scratch.path, 'backup')
  const customer = await lived(lab)
  await backup(commandOn(lab.db.url), { file })
  const before = await lab.balance(customer)
  const [last] = await lab.sql<{ id: number }[]>`select max(id) as id from jobs`
  await using other = await emptyDatabase()
  await restore(commandOn(other.url), { file })
  // The lab's own database is put aside, as a broken disk would do it, and the copy takes its place.
  await using restored = await botLab({ world: { db: other, play: lab.play } })
  const bot = await restored.bot({ priceSats: 30 })
  expect(await restored.balance(customer)).toEqual(before)
  await bot.dm(customer, 'after the restore')
  await restored.hears(customer, 'result', 2)
  const [next] = await other.sql<{ id: number }[]>`select max(id) as id from jobs`
  expect(next?.id).toBe((last?.id ?? 0) + 1)
  await restored.expectClean()
})

test('a backup is of one instant while the books move', async () => {
  await using lab = await botLab()
  using scratch = scratchDir()
  const file = join(scratch.path, 'backup')
  const bot = await lab.bot({ priceSats: 30 })
  const customer = someKey()
  await lab.topUp(bot, customer, 5_000)
  const working = Promise.all(Array.from({ length: 40 }, (_, n) => bot.dm(customer, `job ${n}`)))
  await backup(commandOn(lab.db.url), { file })
  await working
  await using other = await emptyDatabase()
  await restore(commandOn(other.url), { file })
  expect(await audit(commandOn(other.url))).toBe(0)
})

test('a database that was used is not written to', async () => {
  await using lab = await botLab()
  using scratch = scratchDir()
  const file = join(scratch.path, 'backup')
  await lived(lab)
  await backup(commandOn(lab.db.url), { file })
  const before = await contents(lab.sql)
  await expect(restore(commandOn(lab.db.url), { file })).rejects.toThrow('has been used')
  expect(await contents(lab.sql)).toEqual(before)
})

test('a file that is cut off, changed or none restores nothing', async () => {
  await using lab = await botLab()
  using scratch = scratchDir()
  const at = (name: string) => join(scratch.path, name)
  await lived(lab)
  await backup(commandOn(lab.db.url), { file: at('whole') })
  const text = gunzipSync(readFileSync(at('whole'))).toString()
  copyFileSync(at('whole'), at('cut'))
  writeFileSync(at('cut'), readFileSync(at('whole')).subarray(0, -40))
  writeFileSync(
    at('changed'),
    gzipSync(text.replace('"pool","balance_sats":', '"pool","balance_sats":1')),
  )
  writeFileSync(at('other'), 'hello')
  writeFileSync(at('newer'), gzipSync(text.replace('"schemaVersion":', '"schemaVersion":9')))
  await using other = await emptyDatabase()
  const fails = async (name: string, why: RegExp) => {
    await expect(restore(commandOn(other.url), { file: at(name) }), name).rejects.toThrow(why)
  }
  await fails('cut', /cut off or damaged/)
  await fails('changed', /was changed since it was made/)
  await fails('other', /is no backup/)
  await fails('newer', /has schema 9\d+, this tithe has \d+/)
  await expect(restore(commandOn(other.url), { file: at('none') })).rejects.toThrow(
    /^There is no file/,
  )
  expect(await other.sql`select 1 from transfers`).toHaveLength(0)
  await restore(commandOn(other.url), { file: at('whole') })
  expect(await other.sql`select 1 from transfers`).not.toHaveLength(0)
})

test('a backup that cannot be written names its file, and leaves nothing behind', async () => {
  await using db = await freshDatabase()
  using scratch = scratchDir()
  const directory = join(scratch.path, 'here')
  mkdirSync(directory)
  for (const file of [join(scratch.path, 'nowhere/backup'), directory]) {
    const backingUp = backup(commandOn(db.url), { file })
    await expect(backingUp).rejects.toThrow(`${file} cannot be written`)
  }
  expect(readdirSync(scratch.path)).toEqual(['here'])
})
