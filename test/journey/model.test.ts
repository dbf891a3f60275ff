import { expect, test } from 'vitest'
import { silentLog } from '../../src/log.ts'
import { openDatabase, type Sql } from '../../src/store/database.ts'
import { freshDatabase, type TestDatabase } from '../support/database.ts'
import { journeyOn, passDays, priced, stepsOn, type TestJourney } from '../support/journey.ts'
import { createLedgerModel, type ModelJob } from '../support/ledger-model.ts'
import { say, type Seeded, seeded, SWEEP_MS, sweepRounds } from '../support/seeded.ts'

type Model = ReturnType<typeof createLedgerModel>

interface Lab {
  db: TestDatabase
  journey: TestJourney
  model: Model
  keys: string[]
  random: Seeded
  /** By job: the hash of its invoice. */
  hashes: Map<number, string>
}

const rules = { budgetSats: 200, outflowPct: 10, creditPct: 10, seedSats: 3_000 }

/** Every account of the books by the model's names, zeros left out. */
async function readBooks(sql: Sql): Promise<Map<string, number>> {
  const rows = await sql<{ name: string; sats: number }[]>`
    select name, balance_sats as sats from accounts
    union all select pubkey, balance_sats from customers
    union all select 'job ' || id, held_sats from jobs`
  return new Map(rows.map(({ name, sats }) => [name, sats]))
}

const withoutZeros = (books: Map<string, number>) =>
  Object.fromEntries([...books].filter(([, sats]) => sats !== 0).sort())

async function compare({ db, model, keys }: Lab, after: string): Promise<void> {
  const books = await readBooks(db.sql)
  expect(withoutZeros(books), after).toEqual(withoutZeros(model.accounts()))
  const owed = [...books].reduce((sum, [name, sats]) => sum + (name === 'lightning' ? 0 : sats), 0)
  expect(books.get('lightning'), after).toBe(owed)
  const days = await db.sql<{ customer: string; sats: number }[]>`
    select customer, absorbed_sats as sats from customer_days
    where day = (now() at time zone 'utc')::date`
  const used = new Map(days.map(({ customer, sats }) => [customer, sats]))
  for (const key of keys) expect(used.get(key) ?? 0, after).toBe(model.spentOf(key))
}

const commands: [weight: number, name: string, run: (lab: Lab) => Promise<unknown>][] = [
  [8, 'accept', accept],
  [5, 'invoice', (lab) => onJob(lab, ['accepted'], invoice)],
  [6, 'pay', (lab) => onJob(lab, ['awaiting_payment', 'over'], pay)],
  [8, 'finish', (lab) => onJob(lab, ['working'], finish)],
  [2, 'fail', (lab) => onJob(lab, ['working'], fail)],
  [1, 'cancel', (lab) => onJob(lab, ['accepted', 'awaiting_payment'], cancel)],
  [1, 'expire', (lab) => onJob(lab, ['awaiting_payment'], expire)],
  [2, 'top up', topUp],
  [1, 'donate', donate],
  [1, 'midnight', midnight],
  [1, 'restart', restart],
]

async function accept({ journey, model, keys, random }: Lab): Promise<void> {
  const customer = random.pick(keys)
  const estimatedSats = 1 + random.int(300)
  const job = await journey.job(priced({ customer, estimatedSats }))
  const expected = model.accept(job.id, customer, estimatedSats)
  expect(job).toMatchObject({
    ...{ promisedSats: expected.promised, reservedSats: expected.reserved },
    ...{ paidSats: expected.paid, state: expected.state },
  })
}

/** Picks a job in one of these states, if there is one. */
async function onJob(
  lab: Lab,
  states: ModelJob['state'][],
  act: (lab: Lab, job: ModelJob) => Promise<unknown>,
): Promise<void> {
  const some = lab.model.jobs.filter(({ state }) => states.includes(state))
  if (some.length > 0) await act(lab, lab.random.pick(some))
}

async function invoice({ journey, model, hashes }: Lab, job: ModelJob): Promise<void> {
  hashes.set(job.id, await journey.invoice(await journey.read(job.id)))
  model.invoice(job)
}

/** In time, or late; and what was paid once adds nothing. */
async function pay({ journey, model, hashes, random }: Lab, job: ModelJob): Promise<void> {
  const hash = hashes.get(job.id)
  if (!hash) return
  const charge = job.estimate - job.promised
  const feeSats = random.int(Math.min(3, charge + 1))
  const paid = await journey.pay(hash, charge, feeSats)
  if (paid.outcome !== 'nothing') model.pay(job, feeSats)
}

/** Now and then above the estimate, which is the operator's loss. */
async function finish({ journey, model, random }: Lab, job: ModelJob): Promise<void> {
  const actualSats = random.int(Math.ceil(job.estimate * 1.1) + 1)
  await journey.finish(await journey.read(job.id), actualSats)
  model.finish(job, actualSats)
}

async function fail({ journey, model }: Lab, job: ModelJob): Promise<void> {
  await journey.fail(await journey.read(job.id))
  model.fail(job)
}

async function cancel({ journey, model }: Lab, job: ModelJob): Promise<void> {
  await journey.cancel(await journey.read(job.id))
  model.close(job)
}

async function expire({ journey, model }: Lab, job: ModelJob): Promise<void> {
  await journey.expire(await journey.read(job.id))
  model.close(job)
}

async function topUp({ journey, model, keys, random }: Lab): Promise<void> {
  const [customer, sats] = [random.pick(keys), 1 + random.int(400)]
  await journey.topUp(customer, sats)
  model.topUp(customer, sats, 0)
}

async function donate({ journey, model, keys, random }: Lab): Promise<void> {
  const sats = 1 + random.int(400)
  await journey.pay(await journey.funding(random.pick(keys), sats, 'donate'), sats)
  model.donate(sats, 0)
}

async function midnight({ db, model }: Lab): Promise<void> {
  await passDays(db.sql, 1)
  model.passDay()
}

/** Another process on the same rows; what the old one knew is gone. */
async function restart(lab: Lab): Promise<void> {
  await lab.db.sql.end()
  lab.db.sql = openDatabase({
    ...lab.db.connection,
    max: 4,
    applicationName: 'started again',
    log: silentLog,
  })
  lab.journey = stepsOn(lab.db.sql, lab.journey.rules)
}

test('random commands leave the books that a simple model has, after each of them and over restarts', {
  timeout: SWEEP_MS,
}, async () => {
  const random = seeded()
  say(`model: TITHE_SEED=${random.seed}`)
  const drawn = commands.flatMap(([weight, ...command]) =>
    Array.from({ length: weight }, () => command),
  )
  for (let run = 0; run < sweepRounds(3, 60); run += 1) {
    await using db = await freshDatabase()
    const journey = await journeyOn(db.sql, { poolSeedSats: rules.seedSats })
    const keys = await Promise.all(Array.from({ length: 4 }, () => journey.granted('trusted')))
    const lab = {
      ...{ db, journey, keys, random },
      hashes: new Map(),
      model: createLedgerModel(rules),
    }
    for (let step = 0; step < 120; step += 1) {
      const [name, act] = random.pick(drawn)
      await act(lab)
      await compare(lab, `run ${run}, step ${step}, ${name}`)
    }
    await lab.journey.expectClean()
  }
})
