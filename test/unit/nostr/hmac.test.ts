import { createHmac, randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { hmacInto, PAD_BYTES } from '../../../src/nostr/hmac.ts'

function hmac(key: Buffer, message: Buffer): string {
  const target = Buffer.alloc(40, 0xee)
  hmacInto(target, 4, key, Buffer.concat([Buffer.alloc(PAD_BYTES, 0xaa), message]))
  expect([target.readUInt32BE(0), target.readUInt32BE(36)]).toEqual([0xeeeeeeee, 0xeeeeeeee])
  return target.toString('hex', 4, 36)
}

/** Cases 1 to 4 of RFC 4231. */
test.each([
  [
    '0b'.repeat(20),
    '4869205468657265',
    'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7',
  ],
  [
    '4a656665',
    '7768617420646f2079612077616e7420666f72206e6f7468696e673f',
    '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
  ],
  [
    'aa'.repeat(20),
    'dd'.repeat(50),
    '773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe',
  ],
  [
    '0102030405060708090a0b0c0d0e0f10111213141516171819',
    'cd'.repeat(50),
    '82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b',
  ],
])('the key %s gives what RFC 4231 prints', (key, message, expected) => {
  expect(hmac(Buffer.from(key, 'hex'), Buffer.from(message, 'hex'))).toBe(expected)
})

test('keys and messages of every length give what node:crypto gives', () => {
  for (let length = 0; length <= 300; length++) {
    const key = randomBytes(length % (PAD_BYTES + 1))
    const message = randomBytes(length)
    expect(hmac(key, message)).toBe(createHmac('sha256', key).update(message).digest('hex'))
  }
})

test('a key longer than the padding, or no room for it, is refused', () => {
  const target = Buffer.alloc(32)
  const room = Buffer.alloc(PAD_BYTES)
  expect(() => hmacInto(target, 0, Buffer.alloc(PAD_BYTES + 1), room)).toThrow(RangeError)
  expect(() => hmacInto(target, 0, Buffer.alloc(32), room.subarray(1))).toThrow(RangeError)
})
