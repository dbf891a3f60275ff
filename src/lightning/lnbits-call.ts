import type { z } from 'zod'
import { LnbitsError } from './lnbits-error.ts'
import type { Gate, LnbitsPriority } from './lnbits-gate.ts'
import type { LnbitsAnswer, LnbitsCall, LnbitsHttp } from './lnbits-http.ts'
import { errorShape } from './lnbits-shapes.ts'

/** LNbits holds its database while it waits for its node, so even the shortest call may take so long (trap 17). */
const CALL_MS = 30_000

export interface Caller {
  /** A GET that must answer `shape`, or throws `LnbitsError`. */
  read<S extends z.ZodType>(path: string, shape: S, options?: ReadOptions): Promise<z.infer<S>>
  /** Any call: its answer, whatever its status. Throws only when there is none. */
  ask(call: Omit<LnbitsCall, 'timeoutMs'>, priority: LnbitsPriority): Promise<LnbitsAnswer>
}

export interface ReadOptions {
  key?: string
  priority?: LnbitsPriority
}

export function createCaller({
  http,
  gate,
  timeoutMs = CALL_MS,
}: {
  http: LnbitsHttp
  gate: Gate
  timeoutMs?: number
}): Caller {
  const ask: Caller['ask'] = (call, priority) =>
    gate.run(priority, () => http.send({ ...call, timeoutMs }))
  return {
    ask,
    async read(path, shape, { key, priority = 'background' } = {}) {
      const answer = await ask(
        { method: 'GET', path, ...(key === undefined ? {} : { key }) },
        priority,
      )
      return readAs(shape, answer, false)
    },
  }
}

/** The answer in its shape, or why it is none. `wrote` says that the call was one that writes. */
export function readAs<S extends z.ZodType>(
  shape: S,
  answer: LnbitsAnswer,
  wrote: boolean,
): z.infer<S> {
  if (answer.status !== 200 && answer.status !== 201) throw faultOf(answer, wrote)
  const read = shape.safeParse(answer.json)
  if (!read.success) {
    throw new LnbitsError('malformed', { status: answer.status, wroteMaybe: wrote })
  }
  return read.data
}

/** What a status other than 200 or 201 means. JSON or not decides whether LNbits itself said it. */
function faultOf({ status, json }: LnbitsAnswer, wrote: boolean): LnbitsError {
  const said = errorShape.safeParse(json)
  const detail = said.success ? (said.data.detail ?? said.data.error) : undefined
  const facts = { status, ...(detail === undefined ? {} : { detail }) }
  if (status === 429) return new LnbitsError('rate-limited', facts)
  if (status === 401 || status === 403) return new LnbitsError('unauthorised', facts)
  if (status === 404 && detail === 'Wallet not found.') {
    return new LnbitsError('unauthorised', facts)
  }
  if (status === 500) return new LnbitsError('crashed', { ...facts, wroteMaybe: wrote })
  if (status === 520 && said.success && said.data.detail !== undefined) {
    return new LnbitsError(said.data.status === 'pending' ? 'node-down' : 'refused', facts)
  }
  // A validation error has a list for its detail.
  if (status >= 400 && status < 500) return new LnbitsError('refused', facts)
  const wroteMaybe = wrote && status >= 500
  return new LnbitsError('unreachable', { ...facts, wroteMaybe })
}
