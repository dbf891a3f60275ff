import { inTransaction, type Sql } from '../src/store/database.ts'
import { type GateDatabase, open } from './gate-database.ts'
import { type Gate, someRequest } from './gate-load.ts'

/**
 * The rows of a free answer without the gate: nothing is read, locked, decided or counted, no key
 * asks twice, and a batch is five plain inserts from arrays. What is left is the price of the rows
 * themselves.
 */
export function openBulk({ target }: GateDatabase): Pick<Gate, 'close'> & {
  /** Writes so many and answers how long it took, seconds. */
  write(count: number): Promise<number>
} {
  const sql = open(target, 1)
  let jobId = 1_000_000_000
  return {
    async write(count) {
      const startedAt = performance.now()
      const ids = Array.from({ length: count }, () => (jobId += 1))
      await insertRows(sql, ids)
      return (performance.now() - startedAt) / 1_000
    },
    close: () => sql.end(),
  }
}

const REPLY = JSON.stringify({
  type: 'working',
  jobId: '1000000000',
  serve: 'free',
  free_tier: true,
  paidFrom: 'pool',
  chargeSats: 0,
  absorbSats: 3,
})

const insertRows = (sql: Sql, ids: readonly number[]) =>
  inTransaction(sql, async (tx) => {
    const asked = ids.map(someRequest)
    const customers = asked.map(({ to }) => to.customer)
    const rumorAts = asked.map(({ to }) => to.rumorAt)
    const rumorIds = asked.map(({ to }) => to.rumorId)
    const proofs = asked.map(({ message }) => message.proof)
    const texts = asked.map(({ request }) => request)
    await Promise.all([
      tx`
        insert into inbox (rumor_at, rumor_id, sender, via, relay, proof)
        select rumor_at, rumor_id, sender, 'nip17', 'wss://relay.example', proof
        from unnest(${rumorAts}::bigint[], ${rumorIds}::text[], ${customers}::text[],
          ${proofs}::text[]) m (rumor_at, rumor_id, sender, proof)`.execute(),
      tx`
        insert into jobs (id, state, customer, via, form, rumor_at, rumor_id, request_hash, model,
          tier, tier_source, serve, paid_from, estimated_sats, charge_sats, reserved_sats,
          reserved_day, held_sats, free_tier, usd_per_btc, input_tokens, output_tokens, due_at,
          lease, epoch, tries)
        overriding system value
        select id, 'working', customer, 'nip17', 'words', rumor_at, rumor_id, request_hash, 'echo',
          'elite', 'granted', 'free', 'pool', 3, 0, 3, now()::date, 3, true, 100000, 40, 500,
          now() + interval '30 seconds', 'bench', 1, 1
        from unnest(${[...ids]}::bigint[], ${customers}::text[], ${rumorAts}::bigint[],
          ${rumorIds}::text[], ${asked.map(({ requestHash }) => requestHash)}::text[])
          j (id, customer, rumor_at, rumor_id, request_hash)`.execute(),
      tx`
        insert into job_texts (job_id, request)
        select * from unnest(${[...ids]}::bigint[], ${texts}::text[])`.execute(),
      tx`
        insert into transfers (kind, debit, credit, sats, job_id, day)
        select 'reserve', 'pool', 'job:' || id, 3, id, now()::date
        from unnest(${[...ids]}::bigint[]) j (id)`.execute(),
      tx`
        insert into outbox (customer, via, form, job_id, step, rumor_at, rumor_id, reply,
          give_up_at, due_at, lease, epoch, tries)
        select customer, 'nip17', 'words', id, 'working', rumor_at, rumor_id,
          ${REPLY}::text::jsonb,
          now() + interval '3 days', now() + interval '30 seconds', 'bench', 1, 1
        from unnest(${[...ids]}::bigint[], ${customers}::text[], ${rumorAts}::bigint[],
          ${rumorIds}::text[]) r (id, customer, rumor_at, rumor_id)`.execute(),
    ])
  })
