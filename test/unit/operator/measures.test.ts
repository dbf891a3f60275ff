import { expect, test } from 'vitest'
import { createMeasures } from '../../../src/operator/measures.ts'
import { createMetrics } from '../../../src/operator/metrics.ts'
import { botLab } from '../../support/bot.ts'
import { someKey } from '../../support/journey.ts'

async function valuesOf(metrics: ReturnType<typeof createMetrics>) {
  const lines = (await metrics.render()).split('\n')
  return (series: string) => {
    const line = lines.find((text) => text.startsWith(`${series} `))
    return line === undefined ? undefined : Number(line.split(' ').at(-1))
  }
}

test('each thing a customer is told counts once, with its sats', async () => {
  const metrics = createMetrics()
  const measures = createMeasures(metrics, (sats) => Math.floor(sats / 10))
  const working = { type: 'working', serve: 'free', paidFrom: 'pool' }
  for (const reply of [
    { type: 'invoice', purpose: 'job', serve: 'partial' },
    { type: 'invoice', purpose: 'topup' },
    { type: 'working', serve: 'partial', paidFrom: 'invoice' },
    working,
    { ...working, seconds: 10 },
    { type: 'result', actualSats: 45, absorbed_sats: 10, chargeSats: 30, refundSats: 7 },
    { type: 'failed', reason: 'backend_timeout', refundSats: 21 },
    { type: 'expired' },
    { type: 'refused', reason: 'banned' },
    { type: 'refused', reason: 'invoice_failed', jobId: '3' },
    { type: 'withdrawal', state: 'sent', sats: 500 },
    { type: 'withdrawal', state: 'done', sats: 500 },
    { type: 'help' },
    { type: 'result', actualSats: -1 },
  ]) {
    measures.told(reply)
  }
  measures.lane('work', 'begun')
  measures.lane('work', 'retried')
  measures.lane('work', 'lost')
  measures.stage('accept', 3)
  const value = await valuesOf(metrics)
  expect({
    partial: value('tithe_decisions_total{serve="partial"}'),
    free: value('tithe_decisions_total{serve="free"}'),
    done: value('tithe_jobs_ended_total{state="done"}'),
    failed: value('tithe_jobs_ended_total{state="failed"}'),
    expired: value('tithe_jobs_ended_total{state="expired"}'),
    refused: value('tithe_jobs_ended_total{state="refused"}'),
    banned: value('tithe_refused_total{reason="banned"}'),
    backend: value('tithe_faults_total{at="backend"}'),
  }).toEqual({
    ...{ partial: 1, free: 1, done: 1, failed: 1, expired: 1, refused: 1, banned: 1, backend: 1 },
  })
  const moved = (kind: string) => value(`tithe_moved_sats_total{kind="${kind}"}`)
  expect(
    ['absorbed', 'charged', 'credited', 'refunded', 'shortfall', 'withdrawn'].map(moved),
  ).toEqual([10, 30, 3, 28, 5, 500])
  for (const what of ['claims', 'retries', 'lost']) {
    expect(value(`tithe_lane_${what}_total{lane="work"}`), what).toBe(1)
  }
})

test('a paid job leaves a mark at every stage it passes', async () => {
  await using lab = await botLab()
  const metrics = createMetrics()
  const measures = createMeasures(metrics, () => 0)
  const bot = await lab.bot({ measures })
  const customer = someKey()
  await bot.dm(customer, 'hello')
  await lab.pay((await lab.hears(customer, 'invoice')).bolt11)
  bot.journey.hintPayment()
  await lab.hears(customer, 'result')
  await bot.stop()
  const value = await valuesOf(metrics)
  for (const stage of ['accept', 'payment_noticed', 'settle']) {
    expect(value(`tithe_stage_seconds_count{stage="${stage}"}`), stage).toBe(1)
  }
  for (const lane of ['quote', 'work', 'outbox']) {
    expect(value(`tithe_lane_claims_total{lane="${lane}"}`), lane).toBeGreaterThan(0)
  }
  expect(value('tithe_decisions_total{serve="gate"}')).toBe(1)
  expect(value('tithe_jobs_ended_total{state="done"}')).toBe(1)
})
