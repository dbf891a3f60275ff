import { expect, test } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { createEnvelope } from '../../../src/journey/envelope.ts'
import { silentLog } from '../../../src/log.ts'
import { openGiftWrap } from '../../../src/nostr/giftwrap.ts'
import { committedPow } from '../../../src/nostr/pow.ts'
import type { RelayLists } from '../../../src/nostr/relay-lists.ts'
import { openDatabase } from '../../../src/store/database.ts'
import type { OutboxRow } from '../../../src/store/outbox.ts'
import { newIdentity, nowSeconds } from '../../support/relay-lab.ts'

const [bot, customer] = [newIdentity(), newIdentity()]

const row: OutboxRow = {
  ...{ id: 1, customer: customer.pubkey, via: 'nip17', form: 'json', programId: null, jobId: null },
  ...{ step: 'reply', rumorAt: nowSeconds(), rumorId: '0'.repeat(64), createdAt: nowSeconds() },
  reply: { type: 'balance', balanceSats: 5, availableSats: 5 },
  ...{ givenUp: false, delivered: false, isBehind: false, epoch: 1, tries: 1 },
}

const lists: RelayLists = {
  dm: { state: 'found', urls: ['wss://own.example'] },
  read: { state: 'absent', urls: [] },
}

/** Nothing of a listed customer's reply is looked up, so that this one is never connected. */
const nowhere = () =>
  openDatabase({
    ...{ url: 'postgres://127.0.0.1:1/none', max: 1, applicationName: 'test', log: silentLog },
  })

test.each([0, 10])(
  'a reply carries the %i bits that its relay wants, and opens as ever',
  async (bits) => {
    const sql = nowhere()
    const { sign, signAtOnce } = createEnvelope({
      ...{ sql, identity: bot, clock: systemClock, fallback: 'strict' as const, ownRelays: [] },
      lookup: async () => lists,
      known: () => lists,
      checkRelay: (url) => url,
      frameBytes: () => 65_536,
      powBits: (urls) => (urls.includes('wss://own.example') ? bits : 0),
    })
    const { events } = await sign(row)
    // Work takes seconds, and a transaction does not wait for it.
    expect((await signAtOnce(row))?.events.length).toBe(bits > 0 ? undefined : 1)
    await sql.end()
    const wrap = JSON.parse(events[0]?.json ?? '')
    expect(committedPow(wrap)).toBe(bits)
    const opened = openGiftWrap({ wrap, identity: customer, nowSeconds: nowSeconds() })
    expect(opened).toMatchObject({ ok: true, sender: bot.pubkey })
  },
)
