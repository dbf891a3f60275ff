// @ts-check

/*
 * QR codes (ISO/IEC 18004) of short texts: byte mode, error correction M, versions 1 to 10, which is up to 213
 * bytes. Enough for an npub, and small enough to be read.
 */

/** Codewords of each version at level M: [blocks, data codewords in each, correction codewords in each], … */
const BLOCKS = [
  [[1, 16, 10]],
  [[1, 28, 16]],
  [[1, 44, 26]],
  [[2, 32, 18]],
  [[2, 43, 24]],
  [[4, 27, 16]],
  [[4, 31, 18]],
  [
    [2, 38, 22],
    [2, 39, 22],
  ],
  [
    [3, 36, 22],
    [2, 37, 22],
  ],
  [
    [4, 43, 26],
    [1, 44, 26],
  ],
]

/** Centres of the alignment patterns of each version. */
const CENTRES = [
  [],
  [6, 18],
  [6, 22],
  [6, 26],
  [6, 30],
  [6, 34],
  [6, 22, 38],
  [6, 24, 42],
  [6, 26, 46],
  [6, 28, 50],
]

/**
 * The code as rows of dark (true) and light modules, without the quiet zone of four modules around it.
 * @param {string} text
 * @returns {boolean[][]}
 */
export function encodeQr(text) {
  const bytes = [...new TextEncoder().encode(text)]
  const version = BLOCKS.findIndex((_, index) => bytes.length <= roomFor(index + 1)) + 1
  if (version === 0) throw new RangeError('too long for a QR code of version 10')
  const bits = interleave(codewords(bytes, version), version)
  /** @type {boolean[][] | undefined} */
  let best
  let least = Number.POSITIVE_INFINITY
  for (let mask = 0; mask < 8; mask += 1) {
    const code = draw(bits, version, mask)
    const cost = penalty(code)
    if (cost < least) [best, least] = [code, cost]
  }
  if (!best) throw new Error('there are eight masks')
  return best
}

/** @param {number} version */
const blocksOf = (version) =>
  (BLOCKS[version - 1] ?? []).flatMap(([count = 0, data = 0, correction = 0]) =>
    Array.from({ length: count }, () => ({ data, correction })),
  )

/** @param {number} version */
const dataOf = (version) => blocksOf(version).reduce((sum, { data }) => sum + data, 0)

/** Bits of the length field. @param {number} version */
const lengthBits = (version) => (version < 10 ? 8 : 16)

/** Bytes that fit beside mode and length. @param {number} version */
const roomFor = (version) => Math.floor((dataOf(version) * 8 - 4 - lengthBits(version)) / 8)

/**
 * @param {number[]} bytes
 * @param {number} version
 */
function codewords(bytes, version) {
  const total = dataOf(version) * 8
  let bits = `0100${bytes.length.toString(2).padStart(lengthBits(version), '0')}`
  bits += bytes.map((byte) => byte.toString(2).padStart(8, '0')).join('')
  bits += '0'.repeat(Math.min(4, total - bits.length))
  bits = bits.padEnd(Math.ceil(bits.length / 8) * 8, '0')
  const words = (bits.match(/.{8}/g) ?? []).map((octet) => Number.parseInt(octet, 2))
  for (let pad = 0; words.length < dataOf(version); pad += 1) words.push(pad % 2 === 0 ? 236 : 17)
  return words
}

/**
 * @param {number[]} words
 * @param {number} version
 */
function interleave(words, version) {
  let from = 0
  const blocks = blocksOf(version).map(({ data, correction }) => {
    const part = words.slice(from, from + data)
    from += data
    return { part, check: remainder(part, correction) }
  })
  const longest = Math.max(...blocks.map(({ part }) => part.length))
  const mixed = []
  for (let index = 0; index < longest; index += 1) {
    for (const { part } of blocks) if (index < part.length) mixed.push(part[index] ?? 0)
  }
  const checks = blocks[0]?.check.length ?? 0
  for (let index = 0; index < checks; index += 1) {
    for (const { check } of blocks) mixed.push(check[index] ?? 0)
  }
  return mixed.map((word) => word.toString(2).padStart(8, '0')).join('')
}

/** Powers of 2 in the field of 256 elements with x^8 + x^4 + x^3 + x^2 + 1, and their logarithms. */
const POWERS = [1]
for (let n = 1; n < 255; n += 1) {
  const next = (POWERS[n - 1] ?? 0) * 2
  POWERS.push(next > 255 ? next ^ 285 : next)
}
const LOGS = new Map(POWERS.map((power, log) => [power, log]))

/**
 * @param {number} a
 * @param {number} b
 */
function multiply(a, b) {
  if (a === 0 || b === 0) return 0
  return POWERS[((LOGS.get(a) ?? 0) + (LOGS.get(b) ?? 0)) % 255] ?? 0
}

/**
 * Reed–Solomon: what is left of the block divided by the generator of this degree.
 * @param {number[]} block
 * @param {number} degree
 */
function remainder(block, degree) {
  let generator = [1]
  for (let n = 0; n < degree; n += 1) {
    const root = POWERS[n] ?? 0
    const next = [...generator, 0]
    generator.forEach((factor, at) => {
      next[at + 1] = (next[at + 1] ?? 0) ^ multiply(factor, root)
    })
    generator = next
  }
  const rest = [...block, ...Array.from({ length: degree }, () => 0)]
  for (let at = 0; at < block.length; at += 1) {
    const lead = rest[at] ?? 0
    generator.forEach((factor, offset) => {
      rest[at + offset] = (rest[at + offset] ?? 0) ^ multiply(factor, lead)
    })
  }
  return rest.slice(block.length)
}

/** @type {((row: number, column: number) => boolean)[]} */
const MASKS = [
  (r, c) => (r + c) % 2 === 0,
  (r) => r % 2 === 0,
  (_, c) => c % 3 === 0,
  (r, c) => (r + c) % 3 === 0,
  (r, c) => (Math.floor(r / 2) + Math.floor(c / 3)) % 2 === 0,
  (r, c) => ((r * c) % 2) + ((r * c) % 3) === 0,
  (r, c) => (((r * c) % 2) + ((r * c) % 3)) % 2 === 0,
  (r, c) => (((r + c) % 2) + ((r * c) % 3)) % 2 === 0,
]

/**
 * @param {string} bits
 * @param {number} version
 * @param {number} mask
 */
function draw(bits, version, mask) {
  const size = 17 + 4 * version
  /** @type {(boolean | undefined)[][]} */
  const code = Array.from({ length: size }, () => Array.from({ length: size }))
  /** @param {number} row @param {number} column @param {boolean} dark */
  const set = (row, column, dark) => {
    const line = code[row]
    if (line && column >= 0 && column < size) line[column] = dark
  }
  drawFinders(set, size)
  drawAlignments(set, version, size)
  for (let at = 8; at < size - 8; at += 1) {
    set(6, at, at % 2 === 0)
    set(at, 6, at % 2 === 0)
  }
  set(size - 8, 8, true)
  drawFormat(set, size, mask)
  drawVersion(set, size, version)
  const inverted = MASKS[mask]
  let next = 0
  for (const [row, column] of zigzag(size)) {
    if (code[row]?.[column] !== undefined) continue
    const dark = bits[next] === '1'
    next += 1
    set(row, column, dark !== (inverted?.(row, column) ?? false))
  }
  return code.map((line) => line.map((dark) => dark === true))
}

/** @typedef {(row: number, column: number, dark: boolean) => void} Set */

/**
 * The three large squares, each with the light border around it.
 * @param {Set} set
 * @param {number} size
 */
function drawFinders(set, size) {
  for (const [top, left] of [
    [0, 0],
    [0, size - 7],
    [size - 7, 0],
  ]) {
    for (let row = -1; row <= 7; row += 1) {
      for (let column = -1; column <= 7; column += 1) {
        const ring = Math.max(Math.abs(row - 3), Math.abs(column - 3))
        set((top ?? 0) + row, (left ?? 0) + column, ring !== 2 && ring <= 3)
      }
    }
  }
}

/**
 * @param {Set} set
 * @param {number} version
 * @param {number} size
 */
function drawAlignments(set, version, size) {
  const centres = CENTRES[version - 1] ?? []
  for (const row of centres) {
    for (const column of centres) {
      const isFinder =
        (row === 6 && (column === 6 || column === size - 7)) || (row === size - 7 && column === 6)
      if (isFinder) continue
      for (let y = -2; y <= 2; y += 1) {
        for (let x = -2; x <= 2; x += 1) {
          set(row + y, column + x, Math.max(Math.abs(x), Math.abs(y)) !== 1)
        }
      }
    }
  }
}

/**
 * Level M and the mask, twice, with their own correction bits.
 * @param {Set} set
 * @param {number} size
 * @param {number} mask
 */
function drawFormat(set, size, mask) {
  const data = (0 << 3) | mask
  let rest = data << 10
  for (let bit = 14; bit >= 10; bit -= 1) if (rest & (1 << bit)) rest ^= 0b10100110111 << (bit - 10)
  const format = ((data << 10) | rest) ^ 0b101010000010010
  for (let bit = 0; bit < 15; bit += 1) {
    const dark = ((format >> bit) & 1) === 1
    const along = bit < 6 ? bit : bit < 8 ? bit + 1 : size - 15 + bit
    set(along, 8, dark)
    const across = bit < 8 ? size - 1 - bit : bit < 9 ? 7 : 14 - bit
    set(8, across, dark)
  }
}

/**
 * @param {Set} set
 * @param {number} size
 * @param {number} version
 */
function drawVersion(set, size, version) {
  if (version < 7) return
  let rest = version << 12
  for (let bit = 17; bit >= 12; bit -= 1) {
    if (rest & (1 << bit)) rest ^= 0b1111100100101 << (bit - 12)
  }
  const word = (version << 12) | rest
  for (let bit = 0; bit < 18; bit += 1) {
    const dark = ((word >> bit) & 1) === 1
    const [near, far] = [Math.floor(bit / 3), size - 11 + (bit % 3)]
    set(near, far, dark)
    set(far, near, dark)
  }
}

/**
 * Where the bits go: two columns at a time from the right, up and down in turn, past the timing column.
 * @param {number} size
 * @returns {Generator<[row: number, column: number]>}
 */
function* zigzag(size) {
  let upwards = true
  for (let right = size - 1; right > 0; right -= 2) {
    if (right === 6) right = 5
    for (let step = 0; step < size; step += 1) {
      const row = upwards ? size - 1 - step : step
      yield [row, right]
      yield [row, right - 1]
    }
    upwards = !upwards
  }
}

/**
 * How hard the code is to read, by the four rules of the standard.
 * @param {boolean[][]} code
 */
function penalty(code) {
  const size = code.length
  const columns = code.map((_, at) => code.map((line) => line[at] === true))
  let cost = 0
  for (const line of [...code, ...columns]) {
    const text = line.map((dark) => (dark ? '1' : '0')).join('')
    for (const run of text.match(/0{5,}|1{5,}/g) ?? []) cost += run.length - 2
    for (let at = 0; at <= size - 11; at += 1) {
      const part = text.slice(at, at + 11)
      if (part === '10111010000' || part === '00001011101') cost += 40
    }
  }
  let dark = 0
  for (let row = 0; row < size; row += 1) {
    for (let column = 0; column < size; column += 1) {
      const here = code[row]?.[column]
      if (here) dark += 1
      const same =
        here === code[row]?.[column + 1] &&
        here === code[row + 1]?.[column] &&
        here === code[row + 1]?.[column + 1]
      if (same) cost += 3
    }
  }
  return cost + Math.floor(Math.abs((dark * 100) / (size * size) - 50) / 5) * 10
}
