import { randomFillSync } from 'node:crypto'

const STOCK_BYTES = 4_096

/**
 * Fresh random bytes out of a stock, in memory of their own. A wrap that is opened and answered takes five times
 * 32 of them, and each by itself would be a call into the kernel. What was handed out is wiped from the stock.
 */
export function freshBytes(count: number): Uint8Array {
  if (used + count > STOCK_BYTES) {
    randomFillSync(stock)
    used = 0
  }
  const from = used
  used += count
  const bytes = stock.slice(from, used)
  stock.fill(0, from, used)
  return bytes
}

/** One for each thread; nothing is to be read from it but by `freshBytes`. */
const stock = new Uint8Array(STOCK_BYTES)
let used = STOCK_BYTES
