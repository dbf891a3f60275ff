import type { RefusedCode } from '../../src/nostr/giftwrap.ts'
import type { Identity } from '../../src/nostr/types.ts'
import type { Forgery } from './forge.ts'

export interface Cast {
  /** Who receives; the opener's own identity. */
  bot: Identity
  /** Whom the forger wants to be taken for. */
  victim: Identity
  forger: Identity
  nowSeconds: number
}

export interface Shape {
  name: string
  code: RefusedCode
  forgery: Forgery
  /** The caller claims to have verified the wrap; only what lies behind that check is met. */
  verified?: boolean
}

/** 32 bytes that are the x of no point. */
export const OFF_CURVE = 'eefdea4cdb677750a420fee807eacf21eb9898ae79b9768766e4faa04a2d4a34'

export const shape = (name: string, code: RefusedCode, forgery: Forgery): Shape => ({
  name,
  code,
  forgery,
})

/** The same hex with its last bit flipped, for the digits 0 and above 0 alike. */
export const flip = (hex: string): string => `${hex.slice(0, -1)}${hex.endsWith('0') ? '1' : '0'}`
