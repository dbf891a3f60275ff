import { BACKEND_ERROR_BYTES } from '../limits.ts'
import { aborted, BackendError } from './backend.ts'
import { readError } from './chat-shapes.ts'
import { readText } from './sse.ts'

/** The limits of time of one conversation, and which of them ended it. */
export interface Deadline {
  readonly signal: AbortSignal
  /** Call it whenever something arrives. */
  readonly moved: () => void
  stoppedByCaller(): boolean
  ranOut(): 'in all' | 'in silence' | undefined
  end(): void
}

export function startDeadline({
  signal,
  timeoutMs,
  idleMs,
}: {
  signal: AbortSignal
  timeoutMs: number
  idleMs: number
}): Deadline {
  const late = new AbortController()
  let ranOut: 'in all' | 'in silence' | undefined
  const giveUp = (why: 'in all' | 'in silence') => () => {
    ranOut ??= why
    late.abort()
  }
  const whole = setTimeout(giveUp('in all'), timeoutMs)
  const idle = setTimeout(giveUp('in silence'), idleMs)
  return {
    signal: AbortSignal.any([signal, late.signal]),
    moved: () => {
      if (ranOut === undefined) idle.refresh()
    },
    stoppedByCaller: () => signal.aborted,
    ranOut: () => ranOut,
    end() {
      clearTimeout(whole)
      clearTimeout(idle)
    },
  }
}

/** Answers that another try may change: too busy, too early, or broken for the moment. */
const RETRYABLE = new Set([408, 409, 425, 429])

/** Codes by which servers say that they looked at the request and do not want it. */
const REJECTED = new Set(['content_filter', 'content_policy_violation'])

/** The fault an answer that is not 2xx stands for, and the parameter it complains about, if any. */
export async function refusedStatus(
  response: Response,
): Promise<{ fault: BackendError; param: string | undefined }> {
  const { status } = response
  const { code, param } = readError(await errorBody(response))
  const fault = new BackendError(
    code !== undefined && REJECTED.has(code) ? 'rejected' : 'backend_failed',
    `status ${status}${code ? ` (${code})` : ''}`,
    { retryable: status >= 500 || RETRYABLE.has(status) },
  )
  return { fault, param }
}

/** The body of an error is worth a look and no more: large or broken, the status has to do. */
async function errorBody(response: Response): Promise<string> {
  try {
    return response.body ? await readText(response.body, BACKEND_ERROR_BYTES) : ''
  } catch {
    return ''
  }
}

/** Whatever a conversation threw, without its words: errors of fetch may name hosts. */
export function asBackendError(error: unknown, deadline: Deadline): BackendError {
  if (deadline.stoppedByCaller()) return aborted()
  const late = deadline.ranOut()
  if (late) {
    return new BackendError('backend_timeout', `too slow ${late}`, { retryable: true })
  }
  if (error instanceof BackendError) return error
  return new BackendError('backend_failed', `no connection${systemCode(error)}`, {
    retryable: true,
  })
}

/** ECONNREFUSED and its like, which fetch hides one level down. */
function systemCode(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined
  if (typeof cause !== 'object' || cause === null || !('code' in cause)) return ''
  const { code } = cause
  return typeof code === 'string' && /^[A-Z_]{1,40}$/.test(code) ? ` (${code})` : ''
}
