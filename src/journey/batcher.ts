/**
 * Callers that arrive together share one transaction: at most one batch is in flight, and whoever comes
 * meanwhile waits for the next. No timer comes before it, so a lone caller is not delayed. The hot pool row is
 * then locked once per batch instead of once per request.
 */
export interface Batcher<Item, Answer> {
  /** Resolves after the commit that carried the item; rejects with what its transaction failed with. */
  add(item: Item): Promise<Answer>
  /** Resolves when nothing is queued or in flight. */
  idle(): Promise<void>
}

export interface BatcherOptions<Item, Answer> {
  batchMax: number
  /** Writes all items in one transaction and answers in their order. */
  write(items: Item[]): Promise<Answer[]>
  /**
   * True when the outcome is unknown or the server is gone, so that the batch must not be cut up. Otherwise a
   * failed batch is written item by item: one poisonous item fails alone.
   */
  isOutage(error: unknown): boolean
  /** Waited for after each batch, when callers have time: whoever comes meanwhile shares the next. */
  rest?(): Promise<void>
}

interface Waiting<Item, Answer> {
  item: Item
  resolve(answer: Answer): void
  reject(error: unknown): void
}

export function createBatcher<Item, Answer>({
  batchMax,
  write,
  isOutage,
  rest,
}: BatcherOptions<Item, Answer>): Batcher<Item, Answer> {
  let queue: Waiting<Item, Answer>[] = []
  let running: Promise<void> | undefined

  return {
    add: (item) =>
      new Promise((resolve, reject) => {
        queue.push({ item, resolve, reject })
        running ??= run()
      }),
    async idle() {
      while (running) await running
    },
  }

  async function run(): Promise<void> {
    // Everything that arrived in the same turn of the event loop rides in the first batch.
    await new Promise(setImmediate)
    while (queue.length > 0) {
      const batch = queue.slice(0, batchMax)
      queue = queue.slice(batchMax)
      await flush(batch)
      await rest?.()
    }
    running = undefined
  }

  async function flush(batch: Waiting<Item, Answer>[]): Promise<void> {
    try {
      const answers = await write(batch.map((waiting) => waiting.item))
      for (const [place, waiting] of batch.entries()) waiting.resolve(answers[place] as Answer)
    } catch (error) {
      if (batch.length === 1 || isOutage(error)) {
        for (const waiting of batch) waiting.reject(error)
        return
      }
      for (const waiting of batch) await flush([waiting])
    }
  }
}
