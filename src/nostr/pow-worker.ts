import { hash } from 'node:crypto'
import { parentPort, workerData } from 'node:worker_threads'

/**
 * The thread of `minePow`: counts until the id has enough leading zero bits, fewer than 32. It runs
 * until it hits; who started it ends it, after a time or on a signal.
 */
const { before, after, bits } = workerData as { before: string; after: string; bits: number }

let nonce = 0
while (Math.clz32(hash('sha256', `${before}${nonce}${after}`, 'buffer').readUInt32BE()) < bits) {
  nonce++
}
parentPort?.postMessage(String(nonce))
