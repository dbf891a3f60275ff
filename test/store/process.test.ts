import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { realpathSync } from 'node:fs'
import { expect, test } from 'vitest'
import { isAlive, isServer, serverProcessesIn } from '../../src/store/process.ts'
import { until } from '../support/until.ts'

test('a process that ended and was not reaped is not alive', async () => {
  // The shell becomes a sleep that never asks after the child it inherits, and has long done so when the child ends.
  const parent = spawn('/bin/sh', ['-c', 'sleep 0.5 & echo $!; exec sleep 60'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  try {
    const [line] = await once(parent.stdout, 'data')
    const pid = Number(String(line))
    await until('it has ended', () => !isAlive(pid))
    expect(process.kill(pid, 0)).toBe(true)
  } finally {
    parent.kill('SIGKILL')
  }
})

test('this process is alive, one that never was is not', () => {
  expect(isAlive(process.pid)).toBe(true)
  expect(isAlive(1)).toBe(true)
  expect(isAlive(2_147_483_646)).toBe(false)
})

test('a process with another name is no server, wherever it stands', () => {
  expect(serverProcessesIn(realpathSync('.'))).toEqual([])
  expect(isServer(process.pid)).toBe(false)
})
