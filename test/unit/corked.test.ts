import { Writable } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { corker } from '../../src/corked.ts'

function listening(later?: typeof process.nextTick) {
  const calls: string[][] = []
  const socket = new Writable({
    writev(chunks, done) {
      calls.push(chunks.map(({ chunk }) => String(chunk)))
      done()
    },
  })
  const cork = corker(socket, later)
  const say = (text: string): void => {
    cork()
    socket.write(text)
  }
  return { calls, say }
}

test('what is written within one turn of the loop leaves at once, in its order', async () => {
  const { calls, say } = listening()
  for (const text of ['one', 'two', 'three']) say(text)
  expect(calls).toEqual([])
  await nextTurn()
  expect(calls).toEqual([['one', 'two', 'three']])
})

test('what is written in the next turn leaves with the next call', async () => {
  const { calls, say } = listening()
  say('one')
  await nextTurn()
  say('two')
  await nextTurn()
  expect(calls).toEqual([['one'], ['two']])
})

test('what is said at one moment leaves before the turn is over, when that is asked for', async () => {
  const { calls, say } = listening(process.nextTick)
  for (const text of ['one', 'two']) say(text)
  await Promise.resolve()
  say('three')
  expect(calls).toEqual([])
  await new Promise<void>((resolve) => process.nextTick(resolve))
  expect(calls).toEqual([['one', 'two', 'three']])
})
