import type { Clock } from '../clock.ts'
import { LISTEN_PAUSE_MS } from '../limits.ts'
import type { Log } from '../log.ts'
import type { Connection } from './connection.ts'
import { type AnySql, statements } from './statements.ts'

export interface Listening {
  stop(): Promise<void>
}

export interface ListenSettings {
  channel: string
  hear: (payload: string) => void
  onListening?: (() => void) | undefined
  open: (on: {
    onLoss(): void
    onNotification(channel: string, payload: string): void
  }) => Connection
  words: Parameters<typeof statements>[0]
  clock: Clock
  log: Log
}

/** Keeps one connection listening until stopped, making it again after each loss. */
export function listenOn(settings: ListenSettings): Listening {
  const stopping = new AbortController()
  const loop = keepListening(settings, stopping.signal)
  return {
    async stop() {
      stopping.abort()
      await loop
    },
  }
}

async function keepListening(settings: ListenSettings, stopped: AbortSignal): Promise<void> {
  const { channel, hear, onListening, open, words, clock, log } = settings
  while (!stopped.aborted) {
    const { promise: over, resolve } = Promise.withResolvers<void>()
    const connection = open({ onLoss: resolve, onNotification: (_, payload) => hear(payload) })
    stopped.addEventListener('abort', () => resolve(), { once: true })
    try {
      const sql: AnySql = statements(words, (query) => connection.run(query), {})
      await sql.unsafe(`listen "${channel.replaceAll('"', '""')}"`)
      onListening?.()
      await over
    } catch (error) {
      log.debug({ err: error, channel }, 'cannot listen, trying again')
    }
    await connection.close(1)
    if (!stopped.aborted) await clock.sleep(LISTEN_PAUSE_MS, stopped)
  }
}
