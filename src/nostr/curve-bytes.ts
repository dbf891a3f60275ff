/** Whether `value` is exactly `length` bytes: the check in front of every call into C or WebAssembly. */
export const isBytes = (value: unknown, length: number): value is Uint8Array =>
  value instanceof Uint8Array && value.length === length

/** n of secp256k1, hex: the first number that is no secret key. */
export const ORDER = 'fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141'
