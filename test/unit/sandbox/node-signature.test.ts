import { randomBytes } from 'node:crypto'
import { signRecoverable } from 'tiny-secp256k1'
import { expect, test } from 'vitest'
import { loadNodeSignature } from '../../../src/sandbox/node-signature.ts'

test('the play-money node signs what WebAssembly signs, whatever library it found', async () => {
  const sign = await loadNodeSignature()
  for (let round = 0; round < 50; round++) {
    const [digest, secret] = [randomBytes(32), randomBytes(32)]
    const [made, expected] = [sign(digest, secret), signRecoverable(digest, secret)]
    expect(Buffer.from(made.signature)).toEqual(Buffer.from(expected.signature))
    expect(made.recoveryId).toBe(expected.recoveryId)
  }
})

test('a short digest or key is refused before the library sees it', async () => {
  const sign = await loadNodeSignature()
  expect(() => sign(randomBytes(31), randomBytes(32))).toThrow()
  expect(() => sign(randomBytes(32), randomBytes(31))).toThrow()
  expect(() => sign(randomBytes(32), Buffer.alloc(32))).toThrow()
})
