import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { settingNotes } from '../../src/settings.ts'

const root = join(import.meta.dirname, '../..')
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const pages = [
  'README.md',
  'ARCHITECTURE.md',
  'examples/README.md',
  ...globSync('docs/*.md', { cwd: root }),
]

const source = globSync('src/main*.ts', { cwd: root }).map(read).join('\n')
const commands = new Set([...source.matchAll(/\.command\(\s*'([a-z]+)'/g)].map(([, name]) => name))

test.each(pages)('%s names commands that there are', (page) => {
  for (const [, name] of read(page).matchAll(/`(?:npm run -s )?tithe (?:-- )?([a-z]+)/g)) {
    expect(commands, name).toContain(name)
  }
})

test('docs/operating.md names settings that there are, and every command an operator has', () => {
  const page = read('docs/operating.md')
  const names = new Set(settingNotes().map(({ name }) => name))
  const elsewhere = new Set(['SATS', 'NPUB', 'FILE', 'DAY', 'POSTGRES_PASSWORD', 'ID'])
  for (const [, name = ''] of page.matchAll(/`([A-Z][A-Z_]+)`/g)) {
    expect([...names, ...elsewhere], name).toContain(name)
  }
  // Subcommands are called by their parent's name, and these two are for trying it out.
  const others = ['demo', 'ask', 'set', 'budget', 'add']
  for (const name of commands) {
    if (!others.includes(name ?? '')) expect(page, name).toMatch(new RegExp(`\\b${name}\\b`))
  }
})

test.each(pages)('every link of %s leads somewhere', (page) => {
  for (const [, target = ''] of read(page).matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)) {
    if (/^[a-z]+:/.test(target)) continue
    const path = join(root, dirname(page), target)
    expect(existsSync(path), `${page} → ${target}`).toBe(true)
  }
})
