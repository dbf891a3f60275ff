import { parentPort, workerData } from 'node:worker_threads'
import { loadCurve } from './curve.ts'
import { openGiftWrap } from './giftwrap.ts'
import { createIdentity } from './identity.ts'
import type { Batch, BatchAnswer, OpenerWorkerData } from './opener-crew.ts'

/**
 * A thread that opens batches of wraps for `opener-crew.ts`, with a curve and a cache of conversation
 * keys of its own. It says `ready` once, then answers each batch in the order of its wraps.
 */
const { secret, prefer } = workerData as OpenerWorkerData
const { curve } = await loadCurve({ prefer })
const identity = createIdentity(curve, secret)
secret.fill(0)

parentPort?.on('message', ({ id, nowSeconds, wraps }: Batch) => {
  const answers = wraps.map(({ wrap, verified }) =>
    openGiftWrap({ wrap, identity, nowSeconds, verified }),
  )
  parentPort?.postMessage({ id, answers } satisfies BatchAnswer)
})
parentPort?.postMessage('ready')
