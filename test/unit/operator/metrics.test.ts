import { describe, expect, test } from 'vitest'
import { createMetrics, stages } from '../../../src/operator/metrics.ts'

/** Series of ours, without those of the process, as `name{labels} value`. */
async function seriesOf(metrics: ReturnType<typeof createMetrics>): Promise<string[]> {
  const text = await metrics.render()
  return text.split('\n').filter((line) => line.startsWith('tithe_'))
}

describe('metrics', () => {
  test('each word of the journey moves its own series', async () => {
    const metrics = createMetrics({ version: '1.2.3' })
    metrics.intakeDropped('bad_signature')
    metrics.intakeDropped('bad_signature')
    metrics.requested('nip17')
    metrics.refused('unknown_model')
    metrics.decided('partial')
    metrics.ended('done')
    metrics.stage('accept', 4)
    metrics.moved('credited', 61)
    metrics.replied('acknowledged')
    metrics.laneClaimed('work')
    metrics.laneRetried('work')
    metrics.laneLost('work')
    metrics.laneHeld('work', 2)
    metrics.fault('lnbits')
    metrics.relayLive('wss://relay.test/secret-path', true)
    metrics.read({ poolBalanceSats: 9_181, ledgerDriftSats: 0 })
    expect(await seriesOf(metrics)).toEqual(
      expect.arrayContaining([
        'tithe_intake_dropped_total{reason="bad_signature"} 2',
        'tithe_requests_total{via="nip17"} 1',
        'tithe_refused_total{reason="unknown_model"} 1',
        'tithe_decisions_total{serve="partial"} 1',
        'tithe_jobs_ended_total{state="done"} 1',
        'tithe_stage_seconds_bucket{le="0.0025",stage="accept"} 0',
        'tithe_stage_seconds_bucket{le="0.005",stage="accept"} 1',
        'tithe_stage_seconds_sum{stage="accept"} 0.004',
        'tithe_moved_sats_total{kind="credited"} 61',
        'tithe_replies_total{outcome="acknowledged"} 1',
        'tithe_lane_claims_total{lane="work"} 1',
        'tithe_lane_retries_total{lane="work"} 1',
        'tithe_lane_lost_total{lane="work"} 1',
        'tithe_lane_held{lane="work"} 2',
        'tithe_faults_total{at="lnbits"} 1',
        'tithe_relay_live{relay="relay.test"} 1',
        'tithe_pool_balance_sats 9181',
        'tithe_ledger_drift_sats 0',
        'tithe_build_info{version="1.2.3"} 1',
      ]),
    )
  })

  // A drift of 0 that nobody has looked for would silence the alert that guards the money.
  test('what was never read is unknown, not zero', async () => {
    const series = await seriesOf(createMetrics())
    expect(series).toContain('tithe_ledger_drift_sats Nan')
    expect(series).toContain('tithe_pool_balance_sats Nan')
  })

  test('known words start at zero, so that their first event is an increase', async () => {
    const series = await seriesOf(createMetrics())
    expect(series).toContain('tithe_decisions_total{serve="free"} 0')
    for (const stage of stages) {
      expect(series).toContain(`tithe_stage_seconds_count{stage="${stage}"} 0`)
    }
  })

  test('a text from outside never becomes a label', async () => {
    const metrics = createMetrics()
    for (const text of ['npub1customer"} 5', 'c0ffee'.repeat(11), 'two words', 'A', '']) {
      metrics.intakeDropped(text)
    }
    const dropped = (await seriesOf(metrics)).filter((line) => line.includes('intake_dropped'))
    expect(dropped).toEqual(['tithe_intake_dropped_total{reason="other"} 5'])
  })

  test('ten thousand different reasons make at most 65 series and lose no count', async () => {
    const metrics = createMetrics()
    for (let n = 0; n < 10_000; n++) metrics.refused(`reason_${n}`)
    const refused = (await seriesOf(metrics)).filter((line) => line.includes('refused_total'))
    const counted = refused.map((line) => Number(line.split(' ').at(-1)))
    expect(refused).toHaveLength(65)
    expect(counted.reduce((sum, one) => sum + one, 0)).toBe(10_000)
  })

  test('two daemons in one process count apart', async () => {
    const [one, other] = [createMetrics(), createMetrics()]
    one.decided('free')
    expect(await seriesOf(other)).toContain('tithe_decisions_total{serve="free"} 0')
    expect(await other.render()).toContain('nodejs_eventloop_lag_p99_seconds')
  })
})
