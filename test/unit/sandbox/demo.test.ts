import { expect, test } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { silentLog } from '../../../src/log.ts'
import { demo } from '../../../src/sandbox/demo.ts'
import { keptTerminal } from '../../support/command.ts'

test.each([true, false])('a demo that fails names its step (json %s)', async (json) => {
  const terminal = keptTerminal()
  const playing = demo({
    startDaemon: () => Promise.reject(new Error('the cellar is flooded')),
    readStatus: () => undefined,
    clock: systemClock,
    log: silentLog,
    terminal,
    json,
    signal: new AbortController().signal,
  })
  await expect(playing).rejects.toMatchObject({
    name: 'CommandError',
    status: 1,
    message: 'The demo failed in the step "start": the cellar is flooded.',
  })
  const last = terminal.printed.at(-1) ?? ''
  const failure = { done: false, failedStep: 'start', why: 'the cellar is flooded' }
  expect(json ? JSON.parse(last) : last).toEqual(json ? failure : expect.stringContaining('…'))
})
