import { randomBytes } from 'node:crypto'
import { appendFileSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { z } from 'zod'
import type { Clock } from '../clock.ts'

/** A wallet of the play-money LNbits, with the two keys that LNbits gives each wallet. */
export interface PlayWallet {
  id: string
  name: string
  adminKey: string
  invoiceKey: string
}

/** One row of LNbits' payments table. Amounts are millisats, negative when money goes out. */
export interface PlayRow {
  checkingId: string
  paymentHash: string
  walletId: string
  amountMsat: number
  /** Never positive; the reserve while an outgoing payment is not a success. */
  feeMsat: number
  bolt11: string
  status: 'pending' | 'success' | 'failed'
  memo: string
  preimage: string | null
  tag: string | null
  extra: Record<string, unknown>
  labels: string[]
  externalId: string | null
  /** Whom to tell of the payment. */
  webhook?: string | undefined
  /** Unix seconds. */
  expiresAt: number
  /** Unix milliseconds. */
  createdAt: number
  updatedAt: number
}

export type NewRow = Omit<PlayRow, 'createdAt' | 'updatedAt'>

export interface Books {
  /** What the play-money node signs invoices with. */
  readonly nodeKey: Uint8Array
  wallets(): PlayWallet[]
  addWallet(name: string): PlayWallet
  walletOfKey(key: string): { wallet: PlayWallet; mayPay: boolean } | undefined
  add(row: NewRow): PlayRow
  /** Writes a changed row back. */
  save(row: PlayRow, change: Partial<PlayRow>): PlayRow
  /** Rows with this hash or checking id, the most negative amount first, as LNbits picks them. */
  find(hashOrCheckingId: string, walletId?: string): PlayRow[]
  rowsOf(walletId: string): PlayRow[]
  rows(): PlayRow[]
  balanceMsat(walletId: string): number
}

const walletShape = z.object({
  id: z.string(),
  name: z.string(),
  adminKey: z.string(),
  invoiceKey: z.string(),
})
const rowShape = z.object({
  checkingId: z.string(),
  paymentHash: z.string(),
  walletId: z.string(),
  amountMsat: z.number(),
  feeMsat: z.number(),
  bolt11: z.string(),
  status: z.enum(['pending', 'success', 'failed']),
  memo: z.string(),
  preimage: z.string().nullable(),
  tag: z.string().nullable(),
  extra: z.record(z.string(), z.unknown()),
  labels: z.array(z.string()),
  externalId: z.string().nullable(),
  webhook: z.string().optional(),
  expiresAt: z.number(),
  createdAt: z.number(),
  updatedAt: z.number(),
})
const lineShape = z.union([
  z.object({ nodeKey: z.string().regex(/^[0-9a-f]{64}$/) }),
  z.object({ wallet: walletShape }),
  z.object({ row: rowShape }),
])
type Line = z.infer<typeof lineShape>

/**
 * The books of the play-money LNbits. With `file` every change is appended to it as a line of JSON
 * before it is answered, so that a killed sandbox comes back with its open invoices and its money.
 */
export function openBooks({ clock, file }: { clock: Clock; file?: string }): Books {
  const wallets = new Map<string, PlayWallet>()
  const rows = new Map<string, PlayRow>()
  const byHash = new Map<string, PlayRow[]>()
  const balances = new Map<string, number>()
  let nodeKey: Uint8Array = randomBytes(32)

  const write = (line: Line) => {
    if (file) appendFileSync(file, `${JSON.stringify(line)}\n`, { mode: 0o600 })
  }
  const put = (row: PlayRow) => {
    const before = rows.get(row.checkingId)
    rows.set(row.checkingId, row)
    const same = byHash.get(row.paymentHash)?.filter((other) => other !== before) ?? []
    byHash.set(row.paymentHash, [...same, row])
    const balance = balances.get(row.walletId) ?? 0
    balances.set(row.walletId, balance + effect(row) - (before ? effect(before) : 0))
  }

  for (const line of file ? readLines(file) : []) {
    if ('nodeKey' in line) nodeKey = Buffer.from(line.nodeKey, 'hex')
    else if ('wallet' in line) wallets.set(line.wallet.id, line.wallet)
    else put(line.row)
  }
  if (file) compact(file, nodeKey, [...wallets.values()], [...rows.values()])

  return {
    nodeKey,
    wallets: () => [...wallets.values()],
    addWallet(name) {
      const [id, adminKey, invoiceKey] = [hex(16), hex(16), hex(16)]
      const wallet = { id, name, adminKey, invoiceKey }
      wallets.set(id, wallet)
      write({ wallet })
      return wallet
    },
    walletOfKey(key) {
      for (const wallet of wallets.values()) {
        if (wallet.adminKey === key) return { wallet, mayPay: true }
        if (wallet.invoiceKey === key) return { wallet, mayPay: false }
      }
      return undefined
    },
    add(fresh) {
      if (rows.has(fresh.checkingId)) throw new Error('Payment already exists')
      const row = { ...fresh, createdAt: clock.now(), updatedAt: clock.now() }
      put(row)
      write({ row })
      return row
    },
    save(row, change) {
      const changed = { ...row, ...change, updatedAt: clock.now() }
      put(changed)
      write({ row: changed })
      return changed
    },
    find(id, walletId) {
      const byId = rows.get(id)
      const found = byId ? [byId, ...(byHash.get(id) ?? [])] : (byHash.get(id) ?? [])
      return [...new Set(found)]
        .filter((row) => walletId === undefined || row.walletId === walletId)
        .sort((a, b) => a.amountMsat - b.amountMsat)
    },
    rowsOf: (walletId) => [...rows.values()].filter((row) => row.walletId === walletId),
    rows: () => [...rows.values()],
    balanceMsat: (walletId) => balances.get(walletId) ?? 0,
  }
}

const hex = (bytes: number) => randomBytes(bytes).toString('hex')

/**
 * What a row does to its wallet: a pending payment already holds its amount and its fee reserve.
 */
function effect(row: PlayRow): number {
  if (row.amountMsat > 0) {
    return row.status === 'success' ? row.amountMsat - Math.abs(row.feeMsat) : 0
  }
  return row.status === 'failed' ? 0 : row.amountMsat - Math.abs(row.feeMsat)
}

/** The wallets of the books in `file`; empty when there are none. */
export const readWallets = (file: string): PlayWallet[] =>
  readLines(file).flatMap((line) => ('wallet' in line ? [line.wallet] : []))

/**
 * A half-written last line is what a kill in the midst of a write leaves; it was never answered.
 */
function readLines(file: string): Line[] {
  if (!existsSync(file)) return []
  const lines: Line[] = []
  for (const text of readFileSync(file, 'utf8').split('\n')) {
    if (text === '') continue
    try {
      lines.push(lineShape.parse(JSON.parse(text)))
    } catch {
      break
    }
  }
  return lines
}

function compact(file: string, nodeKey: Uint8Array, wallets: PlayWallet[], rows: PlayRow[]): void {
  const lines: Line[] = [
    { nodeKey: Buffer.from(nodeKey).toString('hex') },
    ...wallets.map((wallet) => ({ wallet })),
    ...rows.map((row) => ({ row })),
  ]
  writeFileSync(`${file}.new`, lines.map((line) => `${JSON.stringify(line)}\n`).join(''), {
    mode: 0o600,
  })
  renameSync(`${file}.new`, file)
}
