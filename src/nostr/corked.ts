import type { Writable } from 'node:stream'

/**
 * A function to call before each write to `socket`: what is written until the event loop's next turn leaves in one
 * call into the kernel. A batch of replies, or the answers to one, otherwise wakes the peer once for each frame.
 */
export function corker(socket: Writable): () => void {
  let corked = false
  return () => {
    if (corked) return
    corked = true
    socket.cork()
    setImmediate(() => {
      corked = false
      socket.uncork()
    })
  }
}
