import { expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { createGlance } from '../../src/journey/glance.ts'
import { silentLog } from '../../src/log.ts'
import type { Sql } from '../../src/store/database.ts'
import { reportReplica } from '../../src/store/replicas.ts'
import { readSchedule } from '../../src/store/schedule.ts'
import { freshDatabase } from '../support/database.ts'
import { journeyOn, priced } from '../support/journey.ts'
import { until } from '../support/until.ts'

function glanceOn(sql: Sql) {
  const woken: string[] = []
  const sleeper = (name: string) => ({ wake: () => void woken.push(name) })
  const glance = createGlance({
    ...{ sql, clock: systemClock, log: silentLog, holder: 'one' },
    leaseSeconds: 1,
    wakes: {
      ...{ accepted: sleeper('quote'), working: sleeper('work') },
      ...{ outbox: sleeper('outbox'), invoices: sleeper('watch') },
    },
  })
  return { woken, glance }
}

const report = (sql: Sql, holder: string) =>
  reportReplica(sql, {
    ...{ holder, version: '1', upSeconds: 0 },
    facts: {
      relays: [],
      lnbits: { up: true, events: true, balanceSats: 0, downMs: null },
      ...{ backend: 'echo', http: '' },
    },
  })

test('an empty database schedules nothing', async () => {
  await using db = await freshDatabase()
  const schedule = await readSchedule(db.sql, 'one')
  expect(Object.values(schedule).filter((value) => value !== null && value !== false)).toEqual([])
})

test('what is due is woken, what is due soon then, and nothing else', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  await journey.job(priced())
  await journey.paid(priced())
  await db.sql`update outbox set due_at = now() + interval '1 hour'`
  await db.sql`update jobs set due_at = now() where state = 'accepted'`
  await db.sql`update jobs set due_at = now() + interval '200 ms' where state = 'working'`
  const { woken, glance } = glanceOn(db.sql)
  await glance.runOnce()
  expect(woken).toEqual(['quote'])
  await until('the job at work is woken', () => woken.includes('work'))
  const [row] = await db.sql`select due_at <= now() as due from jobs where state = 'working'`
  expect(row).toEqual({ due: true })
  expect(woken).toEqual(['quote', 'work'])
  await glance.stop()
})

test('a job that came after a glance is woken for when its lease ends', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const { woken, glance } = glanceOn(db.sql)
  glance.start()
  await journey.paid(priced())
  await db.sql`update outbox set due_at = now() + interval '1 hour'`
  await db.sql`update jobs set due_at = now() + interval '1 second'`
  woken.length = 0
  await until('the job is woken', () => woken.includes('work'))
  const [row] = await db.sql`select now() - due_at < interval '0.5 second' as soon from jobs`
  expect(row).toEqual({ soon: true })
  await glance.stop()
})

test('an open invoice wakes the watch at any time', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  await journey.invoice(await journey.job(priced()))
  const { woken, glance } = glanceOn(db.sql)
  await glance.runOnce()
  expect(woken).toContain('watch')
  await glance.stop()
})

test('a replica knows whether it has company', async () => {
  await using db = await freshDatabase()
  const company = async () => {
    const { alone, others } = await readSchedule(db.sql, 'one')
    return { alone, others }
  }
  expect(await company()).toEqual({ alone: false, others: false })
  await report(db.sql, 'one')
  expect(await company()).toEqual({ alone: true, others: false })
  await report(db.sql, 'two')
  expect(await company()).toEqual({ alone: false, others: true })
  const { glance } = glanceOn(db.sql)
  await glance.runOnce()
  expect(glance.hasCompany()).toBe(true)
  await db.sql`update outbox_replicas set seen_at = now() - interval '2 minutes' where holder = 'two'`
  await glance.runOnce()
  expect(glance.hasCompany()).toBe(false)
  await glance.stop()
})
