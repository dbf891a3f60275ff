import {
  type CommandContext,
  CommandError,
  type ExitStatus,
  inSats,
  withGround,
} from '../../command.ts'
import { ALL_SATS } from '../../limits.ts'
import { parseSats } from '../../money/sats.ts'
import { npub } from '../../nostr/identity.ts'
import { inTransaction, type Sql } from '../../store/database.ts'
import { LANE_CHANNEL } from '../../store/lanes.ts'
import { lockPool } from '../../store/ledger.ts'
import { endWithdrawal, type WithdrawalEnding } from '../../store/withdrawal-end.ts'
import {
  type OpenWithdrawal,
  readOpenWithdrawals,
  readWithdrawalState,
  takeParked,
} from '../../store/withdrawals.ts'
import { instant, shortKey, table } from '../screen.ts'

interface Json {
  json?: boolean
}

/**
 * Prints the withdrawals that are not over. Status 1 when one is parked: LNbits never said how it ended, and
 * the operator, who can look into the node's own books, has to.
 */
export async function payouts(
  context: CommandContext,
  { json = false }: Json = {},
): Promise<ExitStatus> {
  const open = await withGround(context, ({ sql }) => readOpenWithdrawals(sql))
  const { terminal } = context
  const parked = open.some(({ state }) => state === 'unknown')
  if (json) terminal.print(JSON.stringify(open.map(viewOf)))
  else if (open.length === 0) terminal.print('No withdrawal is open.')
  else for (const line of linesOf(open, parked)) terminal.print(line)
  return parked ? 1 : 0
}

const viewOf = ({ state, customer, ...payout }: OpenWithdrawal) => ({
  ...payout,
  state,
  parked: state === 'unknown',
  customer,
  npub: npub(customer),
})

function linesOf(open: readonly OpenWithdrawal[], parked: boolean): string[] {
  const head = ['id', 'state', 'sats', 'reserve', 'customer', 'sent (UTC)', 'last word', 'hash']
  const rows = open.map((payout) => [
    payout.id,
    payout.state === 'unknown' ? 'parked' : payout.state,
    payout.amountSats,
    payout.reserveSats,
    shortKey(payout.customer),
    payout.sentAt === null ? '' : instant(payout.sentAt),
    payout.lastError ?? '',
    payout.paymentHash,
  ])
  if (!parked) return table([head, ...rows])
  return [
    ...table([head, ...rows]),
    '',
    'Parked: LNbits never said how it ended. Look for the hash in the books of its node, then',
    '  tithe payouts settle ID --reason TEXT   when the node has paid it',
    '  tithe payouts return ID --reason TEXT   when it has not and never will',
  ]
}

export interface EndOptions extends Json {
  id: string
  /** For the record: how the operator knows. */
  reason: string
  /** The routing fee by the node's books, sats; for `settle`. */
  fee?: string
}

/**
 * Ends a parked withdrawal by the operator's word: `settle` books it as paid, `return` gives the whole hold back
 * to its customer, who is told either way. The ledger keeps the movement and the row keeps the reason.
 */
export async function endPayout(
  context: CommandContext,
  how: 'settle' | 'return',
  { id: text, reason, fee = '0', json = false }: EndOptions,
): Promise<ExitStatus> {
  const id = readId(text)
  if (reason.trim() === '') throw new CommandError('--reason must say why.', { status: 2 })
  const why = `operator: ${reason.trim().slice(0, REASON_CHARS)}`
  const ending: WithdrawalEnding =
    how === 'settle'
      ? { state: 'done', feeSats: readFee(fee), reason: why }
      : { state: 'failed', reason: why }
  const { terminal } = context
  const amountSats = await withGround(context, ({ sql }) => endParked(sql, id, ending))
  if (json) terminal.print(JSON.stringify({ id, state: ending.state, amountSats, reason: why }))
  else {
    terminal.print(
      how === 'settle'
        ? `Withdrawal ${id} over ${inSats(amountSats)} is booked as paid.`
        : `Withdrawal ${id}: ${inSats(amountSats)} and its reserve are back on the balance.`,
    )
    terminal.print(
      'If LNbits still holds sats for it, they are missing there now: see tithe reconcile.',
    )
  }
  return 0
}

const REASON_CHARS = 500
/** The reply is due at once, for whichever daemon runs. */
const AT_ONCE = { holder: 'command', seconds: 0 }

async function endParked(sql: Sql, id: number, ending: WithdrawalEnding): Promise<number> {
  const ended = await inTransaction(sql, async (tx) => {
    await lockPool(tx)
    const row = await takeParked(tx, id)
    if (!row || !(await endWithdrawal(tx, row, ending, AT_ONCE))) return undefined
    await tx`select pg_notify(${LANE_CHANNEL}, 'outbox')`.execute()
    return row.amountSats
  })
  if (ended !== undefined) return ended
  const row = await readWithdrawalState(sql, id)
  if (!row) throw new CommandError(`There is no withdrawal ${id}. See: tithe payouts`)
  throw new CommandError(
    `Withdrawal ${id} is ${row.state}, and only a parked one is ended by hand. See: tithe payouts`,
  )
}

function readId(text: string): number {
  const id = Number(text)
  if (/^[1-9]\d{0,14}$/.test(text)) return id
  throw new CommandError('A withdrawal is named by its number. See: tithe payouts', { status: 2 })
}

function readFee(text: string): number {
  const sats = parseSats(text)
  if (sats !== null && sats <= ALL_SATS) return sats
  throw new CommandError('--fee takes digits alone, in whole sats.', { status: 2 })
}
