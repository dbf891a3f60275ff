import {
  MESSAGES_PER_HOUR,
  PROGRAM_MESSAGES_PER_MINUTE,
  REFUSALS_PER_HOUR,
  SENDERS_KEPT,
} from '../limits.ts'
import type { Form } from '../store/inbox.ts'

/** How much one key may talk with us, so that no key and no pair of bots keeps us busy for ever. */
export interface Manners {
  /**
   * Counts one message. `heard`: it is served. `tell`: it is the first above the bound, and its sender is told so.
   * `ignore`: it is taken in and not answered.
   */
  hear(message: Said): 'heard' | 'tell' | 'ignore'
  /** Counts a refusal that is to be told; false when this key heard enough of them within the hour. */
  mayRefuse(message: Said): boolean
}

export interface Said {
  sender: string
  form: Form
  /** Unix seconds, of the message itself. */
  rumorAt: number
}

interface Window {
  began: number
  count: number
}

const HOUR = 3_600
const MINUTE = 60

/**
 * Counts by the time that messages were written, not by when they arrive: what piled up while we were away, or
 * is sent to us again after a restart, must not make its sender look like a flood. Kept in memory only.
 */
export function createManners(): Manners {
  const messages = createWindows()
  const refusals = createWindows()
  return {
    hear({ sender, form, rumorAt }) {
      const [seconds, most] =
        form === 'json' ? [MINUTE, PROGRAM_MESSAGES_PER_MINUTE] : [HOUR, MESSAGES_PER_HOUR]
      const count = messages.count(`${form} ${sender}`, rumorAt, seconds)
      if (count <= most) return 'heard'
      return count === most + 1 ? 'tell' : 'ignore'
    },
    mayRefuse: ({ sender, rumorAt }) => refusals.count(sender, rumorAt, HOUR) <= REFUSALS_PER_HOUR,
  }
}

function createWindows() {
  const windows = new Map<string, Window>()
  return {
    /** The how many-th this is of its key in its window of time. */
    count(key: string, at: number, seconds: number): number {
      const began = at - (at % seconds)
      const known = windows.get(key)
      const window = known?.began === began ? known : { began, count: 0 }
      window.count += 1
      // Put again at the end, so that the first entry is the one unused for longest.
      windows.delete(key)
      windows.set(key, window)
      if (windows.size > SENDERS_KEPT) windows.delete(windows.keys().next().value ?? '')
      return window.count
    },
  }
}
