import { expect, test } from 'vitest'
import { createBatcher } from '../../../src/journey/batcher.ts'

/** Writes what `write` says, and remembers the batches. */
function batching(
  write: (items: number[]) => number[],
  isOutage = false,
  rest?: () => Promise<void>,
) {
  const batches: number[][] = []
  const batcher = createBatcher<number, number>({
    batchMax: 3,
    async write(items) {
      batches.push(items)
      return write(items)
    },
    isOutage: () => isOutage,
    ...(rest ? { rest } : {}),
  })
  return {
    batches,
    idle: batcher.idle,
    add: (items: number[]) => Promise.allSettled(items.map(batcher.add)),
  }
}

const told = (answers: PromiseSettledResult<number>[]) =>
  answers.map((answer) => (answer.status === 'fulfilled' ? answer.value : 'failed'))

test('who comes together is written together, and each gets its own answer', async () => {
  const { batches, add } = batching((items) => items.map((item) => item * 10))
  expect(told(await add([1, 2, 3, 4]))).toEqual([10, 20, 30, 40])
  expect(batches).toEqual([[1, 2, 3], [4]])
})

test('one that cannot be written fails alone', async () => {
  const { batches, add } = batching((items) => {
    if (items.includes(2)) throw new Error('refused')
    return items
  })
  expect(told(await add([1, 2, 3]))).toEqual([1, 'failed', 3])
  expect(batches).toEqual([[1, 2, 3], [1], [2], [3]])
})

// The commit may have gone through and its answer been lost: writing again would be writing twice.
test('a batch whose outcome is unknown is written once, and all of it fails', async () => {
  const { batches, add } = batching(() => {
    throw new Error('the connection is gone')
  }, true)
  expect(told(await add([1, 2, 3]))).toEqual(['failed', 'failed', 'failed'])
  expect(batches).toEqual([[1, 2, 3]])
})

test('who comes while it rests shares one batch, and a lone caller does not wait for its rest', async () => {
  const rests: (() => void)[] = []
  const rest = () => new Promise<void>((resolve) => rests.push(resolve))
  const { batches, add, idle } = batching((items) => items, false, rest)
  expect(told(await add([1]))).toEqual([1])
  const others = [add([2]), add([3])]
  await new Promise(setImmediate)
  expect(batches).toEqual([[1]])
  rests.shift()?.()
  expect((await Promise.all(others)).flatMap(told)).toEqual([2, 3])
  expect(batches).toEqual([[1], [2, 3]])
  rests.shift()?.()
  await idle()
})
