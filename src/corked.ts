import type { Writable } from 'node:stream'

/**
 * A function to call before each write to `socket`: what is written until `later` calls back, by default in the event
 * loop's next turn, leaves in one call into the kernel. A batch of replies, or the answers to one, otherwise wakes
 * the peer once for each frame.
 */
export function corker(
  socket: Writable,
  later: (uncork: () => void) => void = setImmediate,
): () => void {
  let corked = false
  return () => {
    if (corked) return
    corked = true
    socket.cork()
    later(() => {
      corked = false
      socket.uncork()
    })
  }
}
