import { inspect } from 'node:util'

/**
 * A key or password on its way from the environment to the one place that uses it. Printed, logged
 * or serialised it is `[secret]`, so that a settings object in an error message gives nothing away;
 * only a call of `reveal` shows it, and such calls are easy to find.
 */
export interface Secret {
  /** The text itself. Hand it to what needs it and keep it nowhere. */
  reveal(): string
  toJSON(): string
  toString(): string
}

const HIDDEN = '[secret]'

export function secret(text: string): Secret {
  const hidden = () => HIDDEN
  return Object.freeze({
    reveal: () => text,
    toJSON: hidden,
    toString: hidden,
    [inspect.custom]: hidden,
  })
}
