import postgres from 'postgres'
import { join } from 'node:path'
import { silentLog } from '../../src/log.ts'
import { type Connection, openConnection, type Query } from '../../src/store/connection.ts'
import { ConnectionLostError } from '../../src/store/database-errors.ts'
import { type DatabaseTarget, driverTarget } from '../../src/store/database-target.ts'
import { type AnySql, openDatabase, type Sql } from '../../src/store/database.ts'
import { migrate } from '../../src/store/migrate.ts'
import { columnNames, statements } from '../../src/store/statements.ts'
import { runTransaction, type TransactionMode, type Tx } from '../../src/store/transaction.ts'
import { valueTypes } from '../../src/store/values.ts'
import type { Running, VirtualTime } from './time.ts'

/** What becomes of one statement of a process. */
export type Fate =
  | 'answered'
  /** The process dies before it is sent, or after it was executed and before its answer came. */
  | 'dies-before'
  | 'dies-after'
  /** The process lives on and hears that the connection was lost. */
  | 'lost-before'
  | 'lost-after'

export interface SimulatedProcess extends Running {
  /** Asked for each statement, before it is sent. */
  fate(statement: string): Fate
  /** Puts rows that come in no promised order into one of the seed's choosing. */
  shuffle(rows: unknown): void
  /** What it does when a connection was lost. */
  losses: (() => void)[]
  /** Ends the process, at once. */
  die(why: string): void
}

/** One real PostgreSQL session that all processes of a simulated world share, on the world's time. */
export interface SharedSession {
  /** For what looks at the world from outside, between two things that happen. */
  sql: Sql
  /** The database as one process sees it. */
  of(owner: SimulatedProcess, listens?: (onListening: (() => void) | undefined) => void): Sql
  /** What a dead or suspended process had open is rolled back, as the server would. */
  hangUp(owner: SimulatedProcess): void
  /** Somebody who was suspended may wait in the line. */
  goOn(): void
  /** The server's clock is put forward; it stays so. */
  stepClock(ms: number): void
  /** Empties every table, and goes on with the time of another world. */
  reset(time: VirtualTime): Promise<void>
  close(): Promise<void>
}

const WORLD_NAME = 'tithe simulator'

/**
 * `now()` reads the time of the world: a function of that name stands before the server's in the search path, so
 * that every statement of the program, and every default of its tables, runs unchanged on simulated time.
 */
const VIRTUAL_NOW = `
  create schema sim;
  create function sim.now() returns timestamptz language sql stable parallel safe as $$
    select pg_catalog.to_timestamp(pg_catalog.current_setting('sim.now')::pg_catalog.float8)
  $$`

const SETTINGS = {
  search_path: 'public, sim, pg_catalog',
  'sim.now': '0',
  synchronous_commit: 'off',
  jit: 'off',
  plan_cache_mode: 'force_generic_plan',
}

/** Makes the schema in an empty database, with its clock in the world's hands. */
export async function prepareSimulated(target: DatabaseTarget): Promise<void> {
  const sql = openDatabase({
    ...target,
    ...{ max: 1, applicationName: WORLD_NAME, log: silentLog, settings: SETTINGS },
  })
  try {
    await sql.unsafe(VIRTUAL_NOW)
    await migrate(sql, { dir: join(import.meta.dirname, '../../migrations') })
  } finally {
    await sql.end()
  }
}

interface Loan {
  owner: SimulatedProcess | undefined
  connection: Connection
  lend(connection: Connection): void
  /** Between begin and commit. */
  open: boolean
  lost: boolean
}

/** Opens the one session. */
export async function openSession(target: DatabaseTarget): Promise<SharedSession> {
  const { words, link } = connect(target)
  // Another session empties the tables: what it switches off for that would make this one plan everything anew.
  const sweeper = connect(target)
  const sweep = statements(sweeper.words, (query) => sweeper.link.run(query), {})
  const emptying = await emptyingText(sweep)
  const waiting: Loan[] = []
  let lent: Loan | undefined
  let time: VirtualTime | undefined
  let setTo = ''
  let aheadMs = 0

  return {
    sql: sqlOf(undefined),
    of: sqlOf,
    hangUp(owner) {
      if (owner.state === 'dead') {
        for (const loan of waiting.filter((loan) => loan.owner === owner)) {
          waiting.splice(waiting.indexOf(loan), 1)
        }
      }
      if (!lent || lent.owner !== owner) return
      hangUp(lent)
      giveBack(lent.connection)
    },
    goOn() {
      if (!lent) next()
    },
    stepClock(ms) {
      aheadMs += ms
    },
    async reset(worldTime) {
      aheadMs = 0
      waiting.length = 0
      if (lent?.open) send('rollback')
      lent = undefined
      time = worldTime
      // What is still on its way is over before the tables are empty.
      await send('select')
      await sweep.unsafe(emptying)
    },
    async close() {
      await Promise.all([link.close(1), sweeper.link.close(1)])
    },
  }

  /** Text of ours that no process sees; what it fails with comes again with the next statement. */
  function send(text: string): Promise<unknown> {
    const sent = statements(words, (query) => link.run(query), {})
      .unsafe(text)
      .execute()
    sent.catch(() => {})
    return sent
  }

  function sqlOf(
    owner: SimulatedProcess | undefined,
    listens?: (onListening: (() => void) | undefined) => void,
  ): Sql {
    const connections = { borrow: () => borrow(owner), giveBack, end: async () => {} }
    return statements(words, (query) => void runAlone(owner, query), {
      begin: <T>(mode: TransactionMode, body: (tx: Tx) => Promise<T>) =>
        runTransaction(connections, words, mode, body),
      listen(_channel: string, _hear: (payload: string) => void, onListening?: () => void) {
        listens?.(onListening)
        return { stop: async () => {} }
      },
      onLoss: (fn: () => void) => void owner?.losses.push(fn),
      end: async () => {},
    })
  }

  async function runAlone(owner: SimulatedProcess | undefined, query: Query): Promise<void> {
    const connection = await borrow(owner)
    connection.run(query, () => giveBack(connection))
  }

  function borrow(owner: SimulatedProcess | undefined): Promise<Connection> {
    return new Promise((lend) => {
      // Nobody is left to wait for it.
      if (owner?.state === 'dead') return
      waiting.push(loanTo(owner, lend))
      if (!lent) next()
    })
  }

  function giveBack(connection: Connection): void {
    if (lent?.connection !== connection) return
    lent = undefined
    next()
  }

  function next(): void {
    const at = waiting.findIndex(({ owner }) => owner?.state !== 'suspended')
    const [loan] = at < 0 ? [] : waiting.splice(at, 1)
    if (!loan) return
    lent = loan
    const now = String(((time?.now() ?? 0) + aheadMs) / 1000)
    if (now !== setTo) send(`set sim.now = '${now}'`)
    setTo = now
    loan.lend(loan.connection)
  }

  function loanTo(owner: SimulatedProcess | undefined, lend: Loan['lend']): Loan {
    const loan: Loan = {
      ...{ owner, lend, open: false, lost: false },
      connection: {
        usable: () => !loan.lost,
        openedAt: 0,
        run: (query, after) => run(loan, query, after),
        close: async () => {},
      },
    }
    return loan
  }

  function hangUp(loan: Loan): void {
    if (loan.open && !loan.lost) send('rollback')
    loan.lost = true
  }

  function run(loan: Loan, query: Query, after: (() => void) | undefined): void {
    const { owner } = loan
    if (!owner) link.run(query, after)
    else if (owner.state !== 'dead') meet(loan, owner, query, after)
  }

  /** Lets a statement meet its fate. */
  function meet(
    loan: Loan,
    owner: SimulatedProcess,
    query: Query,
    after: (() => void) | undefined,
  ): void {
    const text = textOf(query)
    const fate = loan.lost ? 'lost-before' : owner.fate(text)
    const { resolve, reject } = query
    const arrived = fate.startsWith('dies') ? undefined : time?.expect(owner)
    const hand = (act: () => void) =>
      arrived?.(() => {
        act()
        after?.()
      })
    const lost = () =>
      hand(() => {
        reject(gone())
        for (const told of owner.losses) told()
      })
    if (fate === 'answered') {
      query.resolve = (value) => {
        if (!isOrdered(query)) owner.shuffle(value)
        hand(() => resolve(value))
      }
      query.reject = (error) => hand(() => reject(error))
    } else {
      // Whether it is executed or not, nobody hears of it.
      const unheard = fate === 'lost-after' ? lost : () => {}
      Object.assign(query, { resolve: unheard, reject: unheard })
    }
    if (!fate.endsWith('before')) {
      if (text.startsWith('begin')) loan.open = true
      else if (text === 'commit' || text === 'rollback') loan.open = false
      link.run(query)
    }
    if (fate !== 'answered') hangUp(loan)
    if (fate === 'lost-before') lost()
    if (fate.startsWith('dies')) owner.die(`${fate.slice(5)} ${text}`)
  }
}

const gone = () => new ConnectionLostError('CONNECTION_CLOSED', 'the connection was lost')

function connect(target: DatabaseTarget): { words: postgres.Sql; link: Connection } {
  const { url, options } = driverTarget(target)
  const driver = {
    ...options,
    types: valueTypes,
    fetch_types: false,
    transform: columnNames,
    max: 1,
    onnotice: () => {},
    connection: { application_name: WORLD_NAME, TimeZone: 'UTC', ...SETTINGS },
  }
  const words: postgres.Sql = Reflect.apply(postgres, undefined, [url ?? driver, driver])
  const link = openConnection({ options: words.options, answerTimeoutMs: 20_000, openedAt: 0 })
  return { words, link }
}

/** The first line of a statement, which is what tells it from others. */
function textOf(query: Query): string {
  const strings: unknown = Reflect.get(query, 'strings')
  const first = Array.isArray(strings) ? String(strings[0]) : ''
  return first.trimStart().split('\n', 1)[0] ?? ''
}

/** Whether a statement says in which order its rows come; if not, any order is as good. */
function isOrdered(query: Query): boolean {
  const strings: unknown = Reflect.get(query, 'strings')
  const last = Array.isArray(strings) ? String(strings.at(-1)) : ''
  return /order by[^)]*$/i.test(last)
}

/** One text that takes every row away and lets ids begin at 1 again. */
async function emptyingText(sql: AnySql): Promise<string> {
  const tables = await sql<{ name: string }[]>`
    select tablename as name from pg_tables where schemaname = 'public'
      and tablename not in ('accounts', 'outbox_status', 'schema_migrations')`
  const sequences = await sql<{ name: string }[]>`
    select sequencename as name from pg_sequences where schemaname = 'public'`
  return [
    'begin',
    // Their triggers would refuse it: the books are append-only.
    'set local session_replication_role = replica',
    ...tables.map(({ name }) => `delete from ${name}`),
    'update accounts set balance_sats = 0',
    'update outbox_status set published_at = 0, sequence = 0',
    ...sequences.map(({ name }) => `select setval('${name}', 1, false)`),
    'commit',
  ].join('; ')
}
