import { openGate } from './gate-cell.ts'
import type { DatabaseTarget } from '../src/store/database-target.ts'
import { type Load, runLoad, someRequest } from './gate-load.ts'

/** What a process of the bench is told, and what it answers. */
export type Order =
  | { open: DatabaseTarget }
  | { load: Load }
  /** Ask until nothing is free any more. */
  | { drain: { callers: number } }
  | { close: true }
export interface Told {
  count: number
  seconds: number
}

let gate: ReturnType<typeof openGate> | undefined

async function obey(order: Order): Promise<Told> {
  if ('open' in order) gate = openGate(order.open)
  if (!gate) throw new Error('told to work before it was opened')
  if ('load' in order) {
    const { count, seconds } = await runLoad(gate, order.load)
    return { count, seconds }
  }
  if ('drain' in order) return { count: await drain(order.drain.callers), seconds: 0 }
  if ('close' in order) await gate.close()
  return { count: 0, seconds: 0 }
}

async function drain(callers: number): Promise<number> {
  let free = 0
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while ((await gate?.ask(someRequest())) === 'free') free += 1
    }),
  )
  return free
}

process.on('message', (order: Order) => {
  void obey(order).then((told) => {
    process.send?.(told)
    if ('close' in order) process.disconnect()
  })
})
