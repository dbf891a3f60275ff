import { once } from 'node:events'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { type Found, type SearchOptions, searchAttacks } from './search.ts'

/**
 * Searches in a thread that runs the rules as Node runs them in production: a test runner's
 * rewritten imports make the same search three times slower.
 */
export async function searchInThread(options: SearchOptions): Promise<Found> {
  const worker = new Worker(new URL(import.meta.url), { workerData: options })
  const [found]: [Found] = (await once(worker, 'message')) as [Found]
  await worker.terminate()
  return found
}

if (!isMainThread && isSearch(workerData)) parentPort?.postMessage(searchAttacks(workerData))

/** The test runner's own threads import this file too; they carry other data. */
function isSearch(data: unknown): data is SearchOptions {
  return typeof data === 'object' && data !== null && 'strategies' in data && 'books' in data
}
