import { bech32 } from '@scure/base'
import { expect, test } from 'vitest'
import { decodeBolt11 } from '../../../src/lightning/bolt11.ts'
import { encodeBolt11 } from '../../../src/lightning/bolt11-encode.ts'
import { splitFields } from '../../../src/lightning/bolt11-words.ts'
import { oneTry, say, type Seeded, seeded, sweepRounds } from '../../support/seeded.ts'
import vectors from '../../vectors/bolt11.json' with { type: 'json' }

const ROUNDS = sweepRounds(20_000, 1_000_000)
const TEXT_CHARS = 20_000

/**
 * Random texts die at the checksum and test nothing behind it; these have theirs repaired. What is
 * read must hold together: whole sats, one `p` and one `s` in the words, and the hash that is
 * there.
 */
test(`${ROUNDS} mutated invoices are read or refused, and nothing throws`, oneTry, () => {
  const random = seeded()
  say(`mutated invoices: TITHE_SEED=${random.seed}`)
  const sources = vectors.valid
    .map(({ text }) => text.toLowerCase())
    .concat(
      encodeBolt11(
        {
          amountMsat: 21_000n,
          paymentHash: 'ab'.repeat(32),
          paymentSecret: '11'.repeat(32),
          createdAt: 1_790_000_000,
          expirySeconds: 600,
          description: 'a job',
        },
        new Uint8Array(32).fill(7),
      ),
    )
  const parts = sources.map((text) => bech32.decode(text, TEXT_CHARS))
  const seen = new Map<string, number>()
  let slowestMs = 0
  for (let round = 0; round < ROUNDS; round++) {
    const text = mutate(random, random.pick(parts))
    const startedAt = performance.now()
    const answer = decodeBolt11(text)
    slowestMs = Math.max(slowestMs, performance.now() - startedAt)
    const outcome = answer.ok ? 'ok' : answer.reason
    seen.set(outcome, (seen.get(outcome) ?? 0) + 1)
    if (answer.ok) expectSound(answer.invoice)
  }
  say(`slowest ${slowestMs.toFixed(2)} ms, ${JSON.stringify([...seen])}`)
  expect(seen.size).toBeGreaterThan(6)
})

function expectSound(invoice: { text: string; paymentHash: string; amountSats: number }): void {
  const { words } = bech32.decode(invoice.text, TEXT_CHARS)
  const fields = splitFields(words.slice(7, -104)) ?? []
  const hashes = fields.filter((field) => field.letter === 'p')
  if (hashes.length !== 1 || fields.filter((field) => field.letter === 's').length !== 1) {
    throw new Error(`more than one hash or secret was read: ${invoice.text}`)
  }
  const hash = Buffer.from(bech32.fromWords(hashes[0]?.words ?? [])).toString('hex')
  if (hash !== invoice.paymentHash) throw new Error(`another hash was read: ${invoice.text}`)
  if (!Number.isSafeInteger(invoice.amountSats) || invoice.amountSats <= 0) {
    throw new Error(`no amount was read: ${invoice.text}`)
  }
}

function mutate(random: Seeded, { prefix, words }: { prefix: string; words: number[] }): string {
  const body = [...words]
  let humanPart: string = prefix
  for (let count = 1 + random.int(3); count > 0; count--) {
    const at = random.int(Math.max(1, body.length))
    switch (random.int(7)) {
      case 0:
        body[at] = random.int(32)
        break
      case 1:
        body.splice(at, 1 + random.int(4))
        break
      case 2:
        body.splice(at, 0, ...Array.from({ length: 1 + random.int(4) }, () => random.int(32)))
        break
      case 3: {
        const fields = splitFields(body.slice(7, -104))
        if (!fields || fields.length === 0) break
        const copied = random.pick(fields)
        const { length } = copied.words
        const type = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l'.indexOf(copied.letter)
        body.splice(7, 0, type, length >> 5, length & 31, ...copied.words)
        break
      }
      case 4:
        body.length = random.int(body.length + 1)
        break
      case 5:
        humanPart = mutateHumanPart(random, humanPart)
        break
      default:
        body.splice(7 + random.int(3), 2, random.int(32), random.int(32))
    }
  }
  return bech32.encode(humanPart, body, TEXT_CHARS)
}

function mutateHumanPart(random: Seeded, humanPart: string): string {
  const at = random.int(humanPart.length + 1)
  const letter = random.pick([...'0123456789munpbcrtsxk'])
  const cut = random.int(3) === 0 ? 1 : 0
  return `${humanPart.slice(0, at)}${letter}${humanPart.slice(at + cut)}`
}
