import { expect, test } from 'vitest'
import { createLog, describeError } from '../../src/log.ts'

class OwnError extends Error {
  override name = 'OwnError'
}

function thrownBy(act: () => unknown): unknown {
  try {
    return act()
  } catch (error) {
    return error
  }
}

test('an error that quotes what it could not read is told by its place alone', () => {
  const error = thrownBy(() => JSON.parse('canary, not JSON'))
  const told = JSON.stringify(describeError(error))
  expect(told).toContain('SyntaxError')
  expect(told).toContain('log.test.ts')
  expect(told).not.toContain('canary')
})

test('a message of many lines leaves none of them among the places', () => {
  const told = describeError(new Error('canary\n  canary\n    at canary:1:1'))
  expect(told).toMatchObject({ type: 'Error' })
  expect(told).not.toHaveProperty('message')
  expect(JSON.stringify(told)).not.toContain('canary')
})

test('an error of our own and one of the system keep their words, and causes are told as well', () => {
  const refused = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:9'), {
    ...{ code: 'ECONNREFUSED', syscall: 'connect' },
  })
  const error = new OwnError('LNbits: unreachable', { cause: refused })
  expect(describeError(error)).toMatchObject({
    ...{ type: 'OwnError', message: 'LNbits: unreachable' },
    cause: { code: 'ECONNREFUSED', message: 'connect ECONNREFUSED 127.0.0.1:9' },
  })
  expect(describeError(new Error('x', { cause: 'canary' }))).toMatchObject({
    cause: { type: 'string' },
  })
})

test('a log line keeps out what slipped into it', () => {
  const lines: string[] = []
  const log = createLog('trace', { write: (line) => void lines.push(line) })
  log.info({ bolt11: 'lnbc1canary', row: { result: 'canary' }, jobId: 7 }, 'a line')
  log.warn({ err: new Error('canary') }, 'a failure')
  expect(lines.join('')).not.toContain('canary')
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ jobId: 7, bolt11: '[kept out]' })
})
