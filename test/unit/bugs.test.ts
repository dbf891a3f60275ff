import { existsSync, readFileSync } from 'node:fs'
import { parseSync } from 'vite'
import { describe, expect, test } from 'vitest'
import { anchorFault, type PlantedBug, plant, readTestName } from '../bugs/bug.ts'
import { catalogue } from '../bugs/catalogue.ts'
import { readReport, verdictOn } from '../bugs/verdict.ts'

/*
 * `npm run test:bugs` plants these bugs one by one; here is only what keeps the catalogue true to the
 * code, which moves.
 */

/** What keeps a bug from being planted and looked for, in words for who moved the code. */
function faultsOf(bug: PlantedBug): string[] {
  const { name, file, tests } = bug
  const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
  const fault = anchorFault(bug, text) ?? syntaxFault(bug, text)
  const missing = tests.filter((test) => !isThere(test))
  return [
    ...(fault === undefined ? [] : [fault]),
    ...missing.map((test) => `${name} names a test that is not there: ${test}`),
    ...(tests.length > 0 ? [] : [`${name} names no test`]),
    ...(file.startsWith('src/') ? [] : [`${name} is planted in ${file}, outside of the program`]),
  ]
}

function syntaxFault(bug: PlantedBug, text: string): string | undefined {
  const [error] = parseSync(bug.file, plant(bug, text), { lang: 'ts' }).errors
  return error && `${bug.name} makes ${bug.file} unreadable: ${error.message}`
}

function isThere(test: string): boolean {
  const { file, title } = readTestName(test)
  return existsSync(file) && readFileSync(file, 'utf8').includes(title ?? '')
}

describe('the catalogue of planted bugs', () => {
  test('has each of its places once, in code that can be read with the bug in it', () => {
    expect(catalogue.flatMap(faultsOf)).toEqual([])
  })

  test('names each bug once, in small letters, and says what it would cost', () => {
    const names = catalogue.map(({ name }) => name)
    expect(names).toEqual([...new Set(names)])
    expect(names.filter((name) => !/^[a-z]+(-[a-z]+)+$/.test(name))).toEqual([])
    expect(catalogue.filter(({ why }) => why.length < 30).map(({ name }) => name)).toEqual([])
    expect(names.length).toBeGreaterThanOrEqual(24)
  })
})

const bug: PlantedBug = {
  name: 'a-bug',
  why: 'it costs',
  file: 'src/a.ts',
  find: 'a > b',
  replace: "a < b /* $& $' */",
  tests: ['test/a.test.ts › one › two'],
}

describe('planting', () => {
  test('changes the one place and nothing else, whatever the new text is', () => {
    expect(plant(bug, 'if (a > b) c()')).toBe("if (a < b /* $& $' */) c()")
  })

  test('an anchor that is gone is named with its file and with what to do', () => {
    expect(anchorFault(bug, 'if (b < a) c()')).toBe(
      'anchor of a-bug not found in src/a.ts: the code moved, move the anchor',
    )
    expect(() => plant(bug, '')).toThrow('move the anchor')
  })

  test('an anchor that stands twice, and a bug that changes nothing, are refused', () => {
    expect(anchorFault(bug, 'a > b || a > b')).toMatch('a-bug stands 2 times in src/a.ts')
    expect(anchorFault({ ...bug, replace: 'a > b' }, 'a > b')).toMatch('changes nothing')
  })

  test('a named test is a file, or a part of the name of a test of it', () => {
    expect(readTestName('test/a.test.ts')).toEqual({ file: 'test/a.test.ts', title: undefined })
    expect(bug.tests.map(readTestName)).toEqual([{ file: 'test/a.test.ts', title: 'one two' }])
  })
})

const report = (files: object[]): string => JSON.stringify({ testResults: files })
const ran = (status: string, ...tests: string[]) => ({
  name: '/tree/test/a.test.ts',
  status,
  assertionResults: tests.map((one, place) => ({
    ...{ ancestorTitles: ['block'], title: `t${place}`, fullName: `block t${place}` },
    ...{ status: one, failureMessages: [] },
  })),
})
const verdict = (files: object[]) => verdictOn(readReport(report(files), '/tree'))

describe('the verdict on a bug', () => {
  test('is that it is caught by the test that failed', () => {
    expect(verdict([ran('failed', 'passed', 'failed', 'pending')])).toEqual({
      verdict: 'caught',
      by: 'test/a.test.ts › block › t1',
    })
  })

  test('is that it survived when tests ran and none failed', () => {
    expect(verdict([ran('passed', 'passed', 'skipped')])).toEqual({ verdict: 'survived' })
  })

  test('is none when no test ran, or a file did not load: that proves nothing', () => {
    expect(verdict([ran('passed', 'skipped')])).toMatchObject({ verdict: 'broken' })
    const unread = { ...ran('failed'), message: 'no such export' }
    expect(verdict([ran('passed', 'passed'), unread])).toEqual({
      verdict: 'broken',
      why: 'test/a.test.ts: no such export',
    })
  })
})
