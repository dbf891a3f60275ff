import { parseJson } from '../json.ts'
import { RELAY_TEXT_CHARS } from '../limits.ts'

/** What a relay may say (NIP-01, NIP-42, NIP-67), read and bounded; `broken` is everything else. */
export type RelayFrame =
  | { type: 'EVENT'; id: string; event: unknown }
  | { type: 'EOSE'; id: string; hint: EoseHint | undefined }
  | { type: 'CLOSED'; id: string; prefix: string; message: string }
  | { type: 'OK'; id: string; accepted: boolean; prefix: string; message: string }
  | { type: 'AUTH'; challenge: string }
  | { type: 'NOTICE'; message: string }
  | { type: 'broken' }

/** NIP-67: whether the relay sent every stored event that matches. Absence means nothing. */
export type EoseHint = 'finish' | 'more'

const BROKEN: RelayFrame = { type: 'broken' }

/** Never throws. */
export function readRelayFrame(text: string): RelayFrame {
  const parsed = parseJson(text)
  if (!parsed.ok || !Array.isArray(parsed.value)) return BROKEN
  const [type, first, second, third] = parsed.value as unknown[]
  if (typeof first !== 'string') return BROKEN
  switch (type) {
    case 'EVENT':
      return { type, id: first, event: second }
    case 'EOSE':
      return { type, id: first, hint: hintOf(second) }
    case 'CLOSED':
      return { type, id: first, ...reasonOf(second) }
    case 'OK':
      if (typeof second !== 'boolean') return BROKEN
      return { type, id: first, accepted: second, ...reasonOf(third) }
    case 'AUTH':
      return first.length > RELAY_TEXT_CHARS ? BROKEN : { type, challenge: first }
    case 'NOTICE':
      return { type, message: first.slice(0, RELAY_TEXT_CHARS) }
    default:
      return BROKEN
  }
}

function hintOf(value: unknown): EoseHint | undefined {
  const hints: unknown[] = Array.isArray(value) ? value : [value]
  if (hints.includes('finish')) return 'finish'
  return hints.includes('more') ? 'more' : undefined
}

/** The machine-readable word before the colon (NIP-01), empty when there is none. */
function reasonOf(value: unknown): { prefix: string; message: string } {
  const message = typeof value === 'string' ? value.slice(0, RELAY_TEXT_CHARS) : ''
  return { prefix: /^([a-z][a-z-]{0,30}):/.exec(message)?.[1] ?? '', message }
}
