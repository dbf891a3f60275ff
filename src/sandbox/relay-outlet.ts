import type { WebSocket } from 'ws'
import type { Clock } from '../clock.ts'
import { eventFrames, noise, type RelayFaults } from './relay-faults.ts'
import type { StoredEvent } from './relay-store.ts'

/** The way of frames to one client, with the faults that are switched on. */
export interface Outlet {
  say(...message: unknown[]): void
  event(sub: string, stored: StoredEvent): void
  /** Sends what was held back for reordering. */
  flush(): void
}

/** A client that reads slower than it is sent to is cut at this many bytes. */
const UNREAD_BYTES = 64 * 1024 * 1024

export function createOutlet(options: {
  socket: WebSocket
  /** Called before each frame that is sent. */
  cork(): void
  clock: Clock
  faults: RelayFaults
  ended: AbortSignal
  onSent(): void
}): Outlet {
  const { socket, cork, clock, faults, ended } = options
  let tail: Promise<void> | undefined
  let held: string | undefined

  const write = (text: string): void => {
    if (socket.readyState !== socket.OPEN || faults.halfOpen) return
    if (socket.bufferedAmount > UNREAD_BYTES) socket.terminate()
    else {
      cork()
      socket.send(text)
    }
    options.onSent()
  }
  const later = (text: string): void => {
    const ms = faults.random() * faults.delayMsMax
    const mine = (tail ?? Promise.resolve())
      .then(() => clock.sleep(ms, ended))
      .then(() => write(text))
    tail = mine
    void mine.then(() => {
      if (tail === mine) tail = undefined
    })
  }
  /** In order, each after its own delay. */
  const send = (text: string): void => {
    for (const frame of [...noise(faults), text]) {
      if (faults.delayMsMax === 0 && tail === undefined) write(frame)
      else later(frame)
    }
  }
  const flush = (): void => {
    const frame = held
    held = undefined
    if (frame !== undefined) send(frame)
  }

  return {
    flush,
    say(...message) {
      flush()
      send(JSON.stringify(message))
    },
    event(sub, { event, json }) {
      for (const frame of eventFrames(faults, sub, event, json)) {
        const holds = faults.reorderShare > 0 && faults.random() < faults.reorderShare
        if (held === undefined && holds) held = frame
        else {
          send(frame)
          flush()
        }
      }
    },
  }
}
