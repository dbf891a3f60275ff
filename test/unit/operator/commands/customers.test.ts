import { expect, test } from 'vitest'
import { npub } from '../../../../src/nostr/identity.ts'
import { ban } from '../../../../src/operator/commands/ban.ts'
import { setTier } from '../../../../src/operator/commands/tier.ts'
import { readCustomers } from '../../../../src/store/customers.ts'
import { commandOn } from '../../../support/command.ts'
import { freshDatabase, type TestDatabase } from '../../../support/database.ts'
import { newIdentity } from '../../../support/relay-lab.ts'

const { pubkey } = newIdentity()

async function facts({ sql }: TestDatabase) {
  const row = (await readCustomers(sql, [pubkey])).get(pubkey)
  return { tier: row?.grantedTier, source: row?.grantedSource, banned: row?.banned }
}

test('a tier is granted to a key that never wrote, and taken back', async () => {
  await using db = await freshDatabase()
  const context = commandOn(db.url)
  expect(await setTier(context, { key: npub(pubkey), tier: 'trusted' })).toBe(0)
  expect(await facts(db)).toMatchObject({ tier: 'trusted', source: 'granted' })
  expect(context.terminal.printed).toEqual([
    `${npub(pubkey)} is granted trusted: up to 200 sats free a day.`,
  ])
  expect(await setTier(context, { key: pubkey, tier: 'none', json: true })).toBe(0)
  expect(await facts(db)).toMatchObject({ tier: null, source: null })
  expect(JSON.parse(context.terminal.printed[1] ?? '')).toEqual({
    pubkey,
    npub: npub(pubkey),
    grantedTier: null,
  })
})

test('a ban holds with its reason until it is lifted', async () => {
  await using db = await freshDatabase()
  const context = commandOn(db.url)
  await ban(context, { key: npub(pubkey), reason: 'spam' })
  expect(await facts(db)).toMatchObject({ banned: true })
  expect(await db.sql`select ban_reason from customers`).toEqual([{ banReason: 'spam' }])
  await ban(context, { key: npub(pubkey), lift: true, json: true })
  expect(await facts(db)).toMatchObject({ banned: false })
  expect(JSON.parse(context.terminal.printed[1] ?? '')).toMatchObject({ pubkey, banned: false })
})

// A secret key pasted in place of a public one must not end in a terminal's scrollback twice.
test.each(['nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5', 'npub1x', ''])(
  'what is no public key ("%s") is a wrong call that repeats nothing of it',
  async (key) => {
    const context = commandOn('postgres://127.0.0.1:9/none')
    const setting = setTier(context, { key, tier: 'trusted' })
    const error = await setting.catch((reason: unknown) => reason)
    expect(error).toMatchObject({ name: 'CommandError', status: 2 })
    if (key !== '') expect(String(error)).not.toContain(key)
  },
)

test('a tier that does not exist is a wrong call that names those that do', async () => {
  const context = commandOn('postgres://127.0.0.1:9/none')
  await expect(setTier(context, { key: pubkey, tier: 'gold' })).rejects.toThrow(
    'There is no tier "gold". Tiers are new, established, trusted, elite, and none.',
  )
})
