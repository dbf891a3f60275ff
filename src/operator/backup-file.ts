import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createGzip } from 'node:zlib'
import { z } from 'zod'
import { CommandError } from '../command.ts'
import { looseJson } from '../json.ts'

/*
 * A backup as a file: lines of JSON, compressed. The first says what it is, then comes the name of each table with
 * its rows, and the last has their number and a hash over all lines before it: a file that was cut off has no end.
 * Rows are objects; what stands between them are lists, so that no row is taken for a mark.
 */

const headShape = z.object({
  tithe: z.literal('backup'),
  format: z.literal(1),
  version: z.string(),
  schemaVersion: z.int(),
  at: z.string(),
})
const tableMark = z.tuple([z.literal('table'), z.string()])
const endMark = z.tuple([z.literal('end'), z.int(), z.string()])

export type BackupHead = z.infer<typeof headShape>

/** One table with some of its rows, as JSON texts. */
export interface BackupPage {
  table: string
  lines: string[]
}

/**
 * Writes pages to `path`, whole or not at all, for its owner alone. Answers how many rows there were. Throws
 * CommandError when nothing can be written there.
 */
export async function writeBackup(
  path: string,
  head: Omit<BackupHead, 'tithe' | 'format'>,
  pages: AsyncIterable<BackupPage>,
): Promise<number> {
  const hash = createHash('sha256')
  let rows = 0
  async function* texts(): AsyncGenerator<string> {
    const told = (line: string) => {
      hash.update(`${line}\n`)
      return `${line}\n`
    }
    yield told(JSON.stringify({ tithe: 'backup', format: 1, ...head }))
    let table = ''
    for await (const page of pages) {
      if (page.table !== table) yield told(JSON.stringify(['table', page.table]))
      table = page.table
      rows += page.lines.length
      yield page.lines.map(told).join('')
    }
    yield `${JSON.stringify(['end', rows, hash.digest('hex')])}\n`
  }
  const draft = `${path}.part`
  // By itself: later "no such file" would be taken for the socket of a database that is gone.
  const file = await open(draft, 'w', 0o600).catch((error: unknown) => {
    throw cannotBeWritten(path, error)
  })
  try {
    await pipeline(Readable.from(texts()), createGzip(), file.createWriteStream())
    await rename(draft, path).catch((error: unknown) => {
      throw cannotBeWritten(path, error)
    })
  } catch (error) {
    // It holds messages and balances, and nobody would look for it.
    await rm(draft, { force: true })
    throw error
  }
  return rows
}

/**
 * Reads a backup. The pages fail at their end when the file is not whole or was changed, so nothing may be
 * committed before. Throws CommandError when it is no backup at all.
 */
export async function readBackup(
  path: string,
): Promise<{ head: BackupHead; pages: AsyncGenerator<BackupPage> }> {
  const lines = linesOf(path)
  const first = await lines.next().catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') throw new CommandError(`There is no file ${path}.`)
    return undefined
  })
  const head = headShape.safeParse(looseJson(first?.value ?? ''))
  if (!head.success) throw new CommandError(`${path} is no backup that this tithe can read.`)
  return { head: head.data, pages: pagesOf(path, String(first?.value), lines) }
}

/** Split at line feeds alone: texts hold other characters that some readers take for the end of a line. */
async function* linesOf(path: string): AsyncGenerator<string, undefined> {
  const source = createReadStream(path)
  const plain = source.pipe(createGunzip()).setEncoding('utf8')
  source.on('error', (error) => plain.destroy(error))
  let rest = ''
  for await (const chunk of plain) {
    const parts = `${rest}${chunk}`.split('\n')
    rest = parts.pop() ?? ''
    yield* parts
  }
}

/** Rows handed on at a time. */
const PAGE_ROWS = 500

async function* pagesOf(
  path: string,
  first: string,
  lines: AsyncGenerator<string, undefined>,
): AsyncGenerator<BackupPage> {
  const hash = createHash('sha256').update(`${first}\n`)
  let page: BackupPage = { table: '', lines: [] }
  let rows = 0
  for (;;) {
    const next = await lines.next().catch(() => undefined)
    if (next?.value === undefined) {
      throw new CommandError(`${path} is cut off or damaged; nothing was restored.`)
    }
    const line = next.value
    const mark = line.startsWith('[') ? looseJson(line) : undefined
    const end = endMark.safeParse(mark)
    if (end.success) {
      if (page.lines.length > 0) yield page
      const [, count, sha256] = end.data
      if (count === rows && sha256 === hash.digest('hex')) return
      throw new CommandError(`${path} was changed since it was made; nothing was restored.`)
    }
    hash.update(`${line}\n`)
    const table = tableMark.safeParse(mark)
    if (!table.success) {
      page.lines.push(line)
      rows += 1
    }
    if (page.lines.length > 0 && (table.success || page.lines.length >= PAGE_ROWS)) {
      yield page
      page = { table: page.table, lines: [] }
    }
    if (table.success) page.table = table.data[1]
  }
}

const cannotBeWritten = (path: string, error: unknown): CommandError =>
  new CommandError(
    `${path} cannot be written (${codeOf(error)}); name a file in a directory that you may write to.`,
  )

const codeOf = (error: unknown): unknown =>
  error instanceof Error && 'code' in error ? error.code : undefined
