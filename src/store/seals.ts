import { createHash, type Hash } from 'node:crypto'
import { AUDIT_PAGE_ROWS, SEAL_ROWS } from '../limits.ts'
import { type AnySql, inTransaction, type Sql, type Tx } from './database.ts'
import { lockPool } from './ledger.ts'

/**
 * The hash chain over what was booked. A seal covers the rows of `transfers` and `free_tier_grants` since the
 * one before it, and its hash covers that one's hash too: a row that is edited, taken out or slipped in later
 * no longer matches, whoever did it. Whoever can write anything could also write the whole chain anew; then the
 * last hash differs from the one that the log or an earlier audit shows.
 */
export interface Seal {
  id: number
  transfersTo: number
  grantsTo: number
  hash: string
  /** UTC, to the microsecond, as text: a Date would round it. */
  at: string
}

interface Line {
  id: number
  /** All columns as one JSON array: no two different rows have the same text. */
  line: string
}

const FIRST = { transfersTo: 0, grantsTo: 0, hash: '' }

/** Whether anything was booked since the last seal. */
export async function hasUnsealed(sql: Sql): Promise<boolean> {
  const [row] = await sql<{ unsealed: boolean }[]>`
    select exists (select 1 from transfers where id > coalesce(last.transfers_to, 0))
      or exists (select 1 from free_tier_grants where id > coalesce(last.grants_to, 0)) as unsealed
    from (select max(transfers_to) as transfers_to, max(grants_to) as grants_to from ledger_seals) last`
  return row?.unsealed ?? false
}

/**
 * Seals up to SEAL_ROWS rows of each table; undefined when there is nothing new. Call it until then. Replicas
 * may call it at once: they take turns.
 */
export async function sealLedger(sql: Sql): Promise<Seal | undefined> {
  const [last, head] = await Promise.all([readLastSeal(sql), readHead(sql)])
  if (head.transfersTo <= last.transfersTo && head.grantsTo <= last.grantsTo) return undefined
  // Whoever writes the books holds the pool's row lock, so under it every smaller id is committed or will
  // never be. The hashing itself keeps nobody waiting.
  const until = await inTransaction(sql, async (tx) => {
    await lockPool(tx)
    return readHead(tx)
  })
  return inTransaction(sql, (tx) => sealUntil(tx, until))
}

type Head = Pick<Seal, 'transfersTo' | 'grantsTo'>

async function sealUntil(tx: Tx, until: Head): Promise<Seal | undefined> {
  await tx`select pg_advisory_xact_lock(hashtext('ledger_seals'))`
  const last = await readLastSeal(tx)
  const [transfers, grants, [clock]] = await Promise.all([
    readTransfers(tx, last.transfersTo, SEAL_ROWS, until.transfersTo),
    readGrants(tx, last.grantsTo, SEAL_ROWS, until.grantsTo),
    tx<{ at: string }[]>`
      select to_char(now() at time zone 'utc', 'YYYY-MM-DD HH24:MI:SS.US') as at`.execute(),
  ])
  if (transfers.length === 0 && grants.length === 0) return undefined
  const bounds = {
    transfersTo: transfers.at(-1)?.id ?? last.transfersTo,
    grantsTo: grants.at(-1)?.id ?? last.grantsTo,
    at: clock?.at ?? '',
  }
  const hash = begin(last.hash, bounds)
  for (const { line } of transfers) add(hash, line)
  add(hash, BETWEEN)
  for (const { line } of grants) add(hash, line)
  const digest = hash.digest('hex')
  const [row] = await tx<{ id: number }[]>`
    insert into ledger_seals (transfers_to, grants_to, hash)
    values (${bounds.transfersTo}, ${bounds.grantsTo}, ${digest})
    returning id`
  return row && { ...bounds, id: row.id, hash: digest }
}

/** What recomputing the chain found. */
export interface SealCheck {
  seals: number
  /** Rows that the seals up to here cover, and rows that no seal covers yet. */
  sealedRows: number
  unsealedRows: number
  /** The last hash, to be compared with one that was written down elsewhere. */
  head: string | null
  /** The first seal that does not match, and the ids between which something was changed. */
  brokenAt: { seal: number; transfers: [number, number]; grants: [number, number] } | null
}

/** Recomputes every seal, in memory for two pages of rows. */
export async function verifySeals(sql: AnySql): Promise<SealCheck> {
  const transfers = feeder((after) => readTransfers(sql, after, AUDIT_PAGE_ROWS))
  const grants = feeder((after) => readGrants(sql, after, AUDIT_PAGE_ROWS))
  const check: SealCheck = { seals: 0, sealedRows: 0, unsealedRows: 0, head: null, brokenAt: null }
  let last: Omit<Seal, 'id' | 'at'> = FIRST
  for (let after = 0; ; ) {
    const seals = await readSeals(sql, after)
    for (const seal of seals) {
      const hash = begin(last.hash, seal)
      check.sealedRows += await transfers(seal.transfersTo, hash)
      add(hash, BETWEEN)
      check.sealedRows += await grants(seal.grantsTo, hash)
      if (hash.digest('hex') !== seal.hash) {
        const between = (from: number, to: number): [number, number] => [from + 1, to]
        check.brokenAt = {
          seal: seal.id,
          transfers: between(last.transfersTo, seal.transfersTo),
          grants: between(last.grantsTo, seal.grantsTo),
        }
        return check
      }
      check.seals += 1
      last = seal
    }
    after = seals.at(-1)?.id ?? after
    if (seals.length < AUDIT_PAGE_ROWS) break
  }
  check.head = check.seals > 0 ? last.hash : null
  check.unsealedRows = await countAfter(sql, last)
  return check
}

const BETWEEN = 'grants'

function begin(previous: string, { transfersTo, grantsTo, at }: Omit<Seal, 'id' | 'hash'>): Hash {
  const hash = createHash('sha256')
  add(hash, previous)
  add(hash, JSON.stringify([transfersTo, grantsTo, at]))
  return hash
}

const add = (hash: Hash, line: string): void => void hash.update(`${line}\n`)

/** Ids begin at 1, but a row slipped in below that is found too. */
const BEFORE_ALL = Number.MIN_SAFE_INTEGER

/** Feeds a hash with the rows up to an id, page by page; answers how many there were. */
function feeder(read: (after: number) => Promise<Line[]>) {
  let page: Line[] = []
  let place = 0
  let over = false
  return async (to: number, hash: Hash): Promise<number> => {
    for (let fed = 0; ; ) {
      for (let row = page[place]; row && row.id <= to; row = page[place]) {
        add(hash, row.line)
        place += 1
        fed += 1
      }
      if (place < page.length || over) return fed
      const next = await read(page.at(-1)?.id ?? BEFORE_ALL)
      over = next.length === 0
      page = over ? page : next
      place = over ? page.length : 0
    }
  }
}

async function readLastSeal(sql: AnySql): Promise<Omit<Seal, 'id' | 'at'>> {
  const [row] = await sql<Seal[]>`
    select transfers_to, grants_to, hash from ledger_seals order by id desc limit 1`.execute()
  return row ?? FIRST
}

async function readSeals(sql: AnySql, after: number): Promise<Seal[]> {
  const rows = await sql<Seal[]>`
    select id, transfers_to, grants_to, hash,
      to_char(at at time zone 'utc', 'YYYY-MM-DD HH24:MI:SS.US') as at
    from ledger_seals where id > ${after} order by id limit ${AUDIT_PAGE_ROWS}`.execute()
  return [...rows]
}

async function readHead(sql: AnySql): Promise<Head> {
  const [row] = await sql<Head[]>`
    select
      coalesce((select max(id) from transfers), 0) as transfers_to,
      coalesce((select max(id) from free_tier_grants), 0) as grants_to`.execute()
  return row ?? FIRST
}

async function countAfter(sql: AnySql, { transfersTo, grantsTo }: Head): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    select (select count(*) from transfers where id > ${transfersTo})
      + (select count(*) from free_tier_grants where id > ${grantsTo}) as count`.execute()
  return row?.count ?? 0
}

async function readTransfers(
  sql: AnySql,
  after: number,
  limit: number,
  to = Number.MAX_SAFE_INTEGER,
): Promise<Line[]> {
  const rows = await sql<Line[]>`
    select id, json_build_array(id, kind, debit, credit, sats, job_id, ref,
      to_char(day, 'YYYY-MM-DD'), to_char(at at time zone 'utc', 'YYYY-MM-DD HH24:MI:SS.US'))::text as line
    from transfers where id > ${after} and id <= ${to} order by id limit ${limit}`.execute()
  return [...rows]
}

async function readGrants(
  sql: AnySql,
  after: number,
  limit: number,
  to = Number.MAX_SAFE_INTEGER,
): Promise<Line[]> {
  const rows = await sql<Line[]>`
    select id, json_build_array(id, job_id, customer, tier, source, to_char(day, 'YYYY-MM-DD'),
      reserved_sats, absorbed_sats, to_char(at at time zone 'utc', 'YYYY-MM-DD HH24:MI:SS.US'))::text as line
    from free_tier_grants where id > ${after} and id <= ${to} order by id limit ${limit}`.execute()
  return [...rows]
}
