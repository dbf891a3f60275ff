import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const page = readFileSync(join(import.meta.dirname, 'peers.md'), 'utf8')
const scenarios = globSync('peers-*.test.ts', { cwd: import.meta.dirname }).flatMap((name) => {
  const text = readFileSync(join(import.meta.dirname, name), 'utf8')
  return [...text.matchAll(/^(?:test\(| {2})'([^']+: [^']+)',/gm)].map(([, title = '']) => title)
})

/** What plays each bug, or why it cannot happen: the last column of the list. */
const played = page
  .split('\n')
  .filter((line) => /^\| (?!---|who )/.test(line))
  .map((line) => line.split(' | ').at(-1) ?? '')

test('every bug of a peer is played by a scenario that there is, or cannot happen for a reason', () => {
  expect(played.length).toBeGreaterThan(70)
  const missing = played.flatMap((cell) => {
    const named = [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name)
    if (!cell.startsWith('— ')) return named.filter((title) => !scenarios.includes(title))
    return named.filter((file) => !existsSync(join(import.meta.dirname, '../..', file)))
  })
  expect(missing).toEqual([])
  expect(played.filter((cell) => !/^(— .{20}|`)/.test(cell))).toEqual([])
})

test('every scenario stands in the list', () => {
  expect(scenarios.length).toBeGreaterThan(50)
  expect(scenarios.filter((title) => !page.includes(`\`${title}\``))).toEqual([])
})
