// @ts-check

const LETTERS = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l'
const GENERATORS = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3]

/** @param {number[]} values */
function checksum(values) {
  let sum = 1
  for (const value of values) {
    const top = sum >> 25
    sum = ((sum & 0x1ffffff) << 5) ^ value
    GENERATORS.forEach((generator, bit) => {
      if ((top >> bit) & 1) sum ^= generator
    })
  }
  return sum
}

/**
 * The key of an npub (NIP-19, BIP-173) as hex; undefined for anything else.
 * @param {string} text
 */
export function decodeNpub(text) {
  if (!/^npub1[02-9ac-hj-np-z]{58}$/.test(text)) return undefined
  const values = [...text.slice(5)].map((letter) => LETTERS.indexOf(letter))
  const prefix = [...'npub'].map((letter) => letter.charCodeAt(0))
  const expanded = [...prefix.map((code) => code >> 5), 0, ...prefix.map((code) => code & 31)]
  if (checksum([...expanded, ...values]) !== 1) return undefined
  const bits = values.slice(0, -6).map((value) => value.toString(2).padStart(5, '0'))
  const octets = bits.join('').slice(0, 256).match(/.{8}/g) ?? []
  return octets.map((octet) => Number.parseInt(octet, 2).toString(16).padStart(2, '0')).join('')
}
