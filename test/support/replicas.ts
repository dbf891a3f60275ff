import { silentLog } from '../../src/log.ts'
import type { MoneyRules } from '../../src/money/rules.ts'
import { inTransaction, openDatabase, type Sql, sqlState } from '../../src/store/database.ts'
import { seedPool } from '../../src/store/pool.ts'
import { defaultMoneyRules } from '../../src/money/rules.ts'
import { freshDatabase } from './database.ts'
import { someKey, stepsOn, type TestJourney } from './journey.ts'

/** Two replicas on one database, each with connections and batchers of its own. */
export interface Replicas extends AsyncDisposable {
  sql: Sql
  both: [TestJourney, TestJourney]
  /** Transactions that the server rolled back over a deadlock, whether or not they were repeated. */
  deadlocks(): number
  /** Keys that the operator gave a tier, all in one statement. */
  keys(count: number, tier: 'established' | 'trusted' | 'elite'): Promise<string[]>
}

export async function twoReplicas(rules: Partial<MoneyRules> = {}): Promise<Replicas> {
  const db = await freshDatabase()
  let deadlocks = 0
  const replica = () => {
    const sql = openDatabase({
      ...db.connection,
      max: 4,
      applicationName: 'replica',
      log: silentLog,
    })
    const { begin } = sql
    sql.begin = async (mode, body) => {
      try {
        return await begin(mode, body)
      } catch (error) {
        if (sqlState(error) === '40P01') deadlocks += 1
        throw error
      }
    }
    return { sql, journey: stepsOn(sql, rules) }
  }
  await inTransaction(db.sql, (tx) => seedPool(tx, { ...defaultMoneyRules, ...rules }))
  const [a, b] = [replica(), replica()]
  return {
    sql: db.sql,
    both: [a.journey, b.journey],
    deadlocks: () => deadlocks,
    async keys(count, tier) {
      const keys = Array.from({ length: count }, someKey)
      await db.sql`
        insert into customers (pubkey, granted_tier, granted_source)
        select pubkey, ${tier}, 'granted' from unnest(${keys}::text[]) k (pubkey)`
      return keys
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([a.sql.end(), b.sql.end()])
      await db[Symbol.asyncDispose]()
    },
  }
}
