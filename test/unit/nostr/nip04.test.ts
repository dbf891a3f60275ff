import { createCipheriv, createDecipheriv } from 'node:crypto'
import * as theirs from 'nostr-tools/nip04'
import { describe, expect, test } from 'vitest'
import { createIdentity, generateSecretKey } from '../../../src/nostr/identity.ts'
import { decryptNip04, encryptNip04 } from '../../../src/nostr/nip04.ts'
import { machineCurves } from '../../support/curves.ts'

describe.each(await machineCurves())('NIP-04 on curve $name', (curve) => {
  const secrets = { bot: generateSecretKey(), customer: generateSecretKey() }
  const bot = createIdentity(curve, secrets.bot)
  const customer = createIdentity(curve, secrets.customer)
  const texts = ['hi', '', 'é 漢 👩‍👧 "quotes" \n', '?iv=', 'x'.repeat(60_000), '\ufeffmark']

  test.each(texts)('both sides and nostr-tools read the same text: %.20j', (text) => {
    const content = encryptNip04(customer, bot.pubkey, text)
    expect(decryptNip04(bot, customer.pubkey, content)).toBe(text)
    expect(decryptNip04(customer, bot.pubkey, content)).toBe(text)
    expect(theirs.decrypt(secrets.bot, customer.pubkey, content)).toBe(text.replace(/^\ufeff/, ''))
    const foreign = theirs.encrypt(secrets.customer, bot.pubkey, text)
    expect(decryptNip04(bot, customer.pubkey, foreign)).toBe(text)
  })

  test('two encryptions of one text differ', () => {
    const [one, two] = [1, 2].map(() => encryptNip04(bot, customer.pubkey, 'same'))
    expect(one).not.toBe(two)
  })

  const honest = encryptNip04(customer, bot.pubkey, 'what is a satoshi? '.repeat(3))
  const iv = honest.slice(honest.indexOf('?iv='))
  test.each([
    ['nothing', ''],
    ['plain words', 'hello'],
    ['no iv', honest.replace(iv, '')],
    ['an empty iv', `${honest.replace(iv, '')}?iv=`],
    ['an iv of 15 bytes', `${honest.replace(iv, '')}?iv=${Buffer.alloc(15).toString('base64')}`],
    ['an iv of 17 bytes', `${honest.replace(iv, '')}?iv=${Buffer.alloc(17).toString('base64')}`],
    ['two ivs', `${honest}${iv}`],
    ['text in front', ` ${honest}`],
    ['a line end behind', `${honest}\n`],
    ['no ciphertext', iv],
    ['ciphertext that is not whole blocks', `AAAA${iv}`],
    ['the URL alphabet', `${'_-'.repeat(32)}${iv}`],
    ['more than is read', `${'A'.repeat(98_304)}${iv}`],
  ])('content with %s is no message', (_, content) => {
    expect(decryptNip04(bot, customer.pubkey, content)).toBeUndefined()
  })

  /** What a hostile sender with a right key can put inside. */
  function sealed(bytes: Buffer): string {
    const cipher = createCipheriv('aes-256-cbc', bot.sharedX(customer.pubkey), Buffer.alloc(16))
    const text = Buffer.concat([cipher.update(bytes), cipher.final()]).toString('base64')
    return `${text}?iv=${Buffer.alloc(16).toString('base64')}`
  }

  test.each([
    ['NUL', Buffer.from('a\0b')],
    ['a surrogate', Buffer.from([0xed, 0xa0, 0x80])],
    ['a cut character', Buffer.from([0x61, 0xc3])],
  ])('a text with %s is no message', (_, bytes) => {
    expect(decryptNip04(bot, customer.pubkey, sealed(bytes))).toBeUndefined()
    expect(decryptNip04(bot, customer.pubkey, sealed(Buffer.from('plain')))).toBe('plain')
  })

  test.each([
    '',
    'zz',
    'EF'.repeat(32),
    'eefdea4cdb677750a420fee807eacf21eb9898ae79b9768766e4faa04a2d4a34',
  ])('from the key %j there is no message, and none is written to it', (peer) => {
    expect(decryptNip04(bot, peer, honest)).toBeUndefined()
    expect(() => encryptNip04(bot, peer, 'hi')).toThrow()
  })

  test('another key reads nothing or not this text', () => {
    const stranger = createIdentity(curve, generateSecretKey())
    expect(decryptNip04(stranger, customer.pubkey, honest) ?? '').not.toContain('satoshi')
  })

  test('the key is the unhashed x of the shared point', () => {
    const [text = '', vector = ''] = honest.split('?iv=')
    const key = customer.sharedX(bot.pubkey)
    const decipher = createDecipheriv('aes-256-cbc', key, Buffer.from(vector, 'base64'))
    expect(decipher.update(text, 'base64', 'utf8') + decipher.final('utf8')).toContain('satoshi')
  })
})
