/** Whether `value` is exactly `length` bytes: the check in front of every call into C or WebAssembly. */
export const isBytes = (value: unknown, length: number): value is Uint8Array =>
  value instanceof Uint8Array && value.length === length
