import { type Flood, startFlood } from '../test/support/flood.ts'

/* A process of a bench: whoever floods. Told where to, it says its relay; then it is told how strong to be. */

let flood: Flood | undefined

process.on('message', (order: { bot: string; relay: string } | { strength: number } | 'sent') => {
  if (order === 'sent') process.send?.(flood?.sent())
  else if ('strength' in order) flood?.set(order.strength)
  else {
    void startFlood(order).then((started) => {
      flood = started
      process.send?.(started.url)
    })
  }
})
process.on('disconnect', () => process.exit())
