import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { paymentJson } from './lnbits-answers.ts'
import type { Books, PlayRow } from './lnbits-books.ts'
import type { PlayFaults } from './lnbits-faults.ts'

export interface Listeners {
  accept(incoming: IncomingMessage, socket: Duplex, head: Buffer): void
  /** Tells a row to both keys of its wallet and to whoever listens under its hash. */
  announce(row: PlayRow, times: number): void
  /** Sends any text under any name, as LNbits lets everybody do. */
  forge(name: string, text: string): void
  drop(): void
}

/** LNbits sends what it sends twice a moment later again. */
const SECOND_COPY_MS = 50

/** The websocket of LNbits: `/api/v1/ws/{anything}`, open to everybody, no key, no backlog. */
export function createListeners({
  books,
  faults,
  signal,
}: {
  books: Books
  faults: PlayFaults
  signal: AbortSignal
}): Listeners {
  const server = new WebSocketServer({ noServer: true, maxPayload: 64 * 1024 })
  const byName = new Map<string, Set<WebSocket>>()

  const tell = (name: string, text: string) => {
    for (const socket of byName.get(name) ?? []) socket.send(text)
  }
  const announceOnce = (row: PlayRow) => {
    const wallet = books.wallets().find(({ id }) => id === row.walletId)
    if (!wallet) return
    const balance = Math.floor(books.balanceMsat(wallet.id) / 1000)
    const text = JSON.stringify({ wallet_balance: balance, payment: paymentJson(row) })
    tell(wallet.invoiceKey, text)
    tell(wallet.adminKey, text)
    tell(row.paymentHash, JSON.stringify({ pending: row.status === 'pending', status: row.status }))
  }

  return {
    accept(incoming, socket, head) {
      const name = /^\/api\/v1\/ws\/([^/?]+)/.exec(incoming.url ?? '')?.[1]
      if (name === undefined) return void socket.destroy()
      server.handleUpgrade(incoming, socket, head, (listener) => {
        const named = byName.get(name) ?? new Set()
        byName.set(name, named.add(listener))
        listener.on('error', () => listener.terminate())
        listener.on('close', () => named.delete(listener))
      })
    },
    announce(row, times) {
      if (faults.silent) return
      const copies = times === 1 ? 1 : faults.copies
      for (let copy = 0; copy < copies; copy++) {
        const timer = setTimeout(() => !signal.aborted && announceOnce(row), copy * SECOND_COPY_MS)
        timer.unref()
      }
    },
    forge: tell,
    drop() {
      for (const named of byName.values()) for (const listener of named) listener.terminate()
      byName.clear()
    },
  }
}
