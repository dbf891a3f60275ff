import { expect, test } from 'vitest'
import { defaultMoneyRules } from '../../../src/money/rules.ts'
import { decrypt } from '../../../src/nostr/nip44.ts'
import {
  createFullStatus,
  fullStatusContent,
  fullStatusLabel,
} from '../../../src/operator/full-status.ts'
import { journeyOn, priced } from '../../support/journey.ts'
import { newIdentity } from '../../support/relay-lab.ts'
import { quietFacts, statusLab } from '../../support/status-lab.ts'
import { reportReplica } from '../../../src/store/replicas.ts'

test('each operator gets the whole status, which nobody else can read or find', async () => {
  await using lab = await statusLab()
  const { sql } = lab.db
  const journey = await journeyOn(sql)
  await journey.finish(await journey.paid(priced({ estimatedSats: 40 })), 30)
  const [first, second, stranger] = [newIdentity(), newIdentity(), newIdentity()]
  const operators = [first.pubkey, second.pubkey]
  const more = createFullStatus({ sql, rules: defaultMoneyRules, identity: lab.bot, operators })
  const loop = await lab.replica('one', { more })
  await reportReplica(sql, {
    ...{ holder: 'one', version: '1.0.0', upSeconds: 90 },
    facts: {
      ...quietFacts,
      relays: [
        { url: 'wss://relay.example/token', state: 'waiting', liveMs: null, deafMs: 60_000 },
      ],
    },
  })
  await loop.runOnce()
  await lab.status(() => true, 3)
  const labels = operators.map((key) => fullStatusLabel(lab.bot.conversationKey(key)))
  const [public_, ...full] = lab.heard.toSorted((a, b) => a.tags.length - b.tags.length).reverse()
  expect(full.map(({ tags }) => tags[0]?.[1]).toSorted()).toEqual(labels.toSorted())
  for (const event of full) {
    expect(event.created_at).toBe(public_?.created_at)
    expect(event.tags.map(([name]) => name)).toEqual(['d', 'encrypted', 'expiration'])
    expect(JSON.stringify(event)).not.toContain(first.pubkey)
  }
  const label = fullStatusLabel(first.conversationKey(lab.bot.pubkey))
  const own = full.find(({ tags }) => tags[0]?.[1] === label)
  const text = decrypt(own?.content ?? '', first.conversationKey(lab.bot.pubkey))
  const content = fullStatusContent.parse(JSON.parse(text))
  expect(content).toMatchObject({
    state: 'open',
    reasons: ['relay.example is not heard: tithe doctor'],
    balance_sats: { pool: 10_003, customers: 10, operator: -9_973, lightning: 40, lnbits: 0 },
    ledger_drift_sats: 0,
    lightning_drift_sats: null,
    counts_24h: { gate: 1, free: 0, failed: 0 },
    invoices: { open: 0, paid_24h: 1, paid_sats_24h: 40 },
    relays: [{ relay: 'relay.example', state: 'waiting', live: false }],
    replicas: [{ name: 'one', version: '1.0.0' }],
  })
  expect(() => decrypt(own?.content ?? '', stranger.conversationKey(lab.bot.pubkey))).toThrow()
})

test('with the public status off operators still get theirs', async () => {
  await using lab = await statusLab()
  const more = createFullStatus({
    ...{ sql: lab.db.sql, rules: defaultMoneyRules, identity: lab.bot },
    operators: [newIdentity().pubkey],
  })
  const loop = await lab.replica('one', { mode: 'off', more })
  loop.start()
  const { tags } = await lab.status()
  expect(tags[1]).toEqual(['encrypted', 'nip44'])
  expect(lab.heard).toHaveLength(1)
})
