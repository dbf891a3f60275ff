/** What does the work of a job: a chat model, an operator's program, or an echo. */
export interface Backend {
  readonly name: string
  /**
   * Does the work once. Text in, text out: nothing in a request or a result is ever executed.
   * @throws BackendError for every failure of the backend, and when `signal` aborts.
   */
  run(work: Work): Promise<Finished>
}

export interface Work {
  jobId: string
  request: string
  /** A name from `MODELS`. */
  model: string
  /** The cap that the price was computed with, in output tokens. */
  maxOutputTokens?: number | undefined
  signal: AbortSignal
}

export interface Finished {
  /** Plain text, never empty: controls are stripped, so it can be stored and sent as it is. */
  result: string
  /** Tokens really used; null when the backend counts none, and then the estimate is charged. */
  usage: { input: number; output: number } | null
}

export type BackendFault = 'backend_failed' | 'backend_timeout' | 'rejected'

/**
 * The work was not done. The message is for logs: it names statuses and bounds, and never holds
 * anything from the request, the result, the key or the body of an answer.
 */
export class BackendError extends Error {
  readonly code: BackendFault
  /** Whether the same work may well succeed if it is run again. */
  readonly retryable: boolean

  constructor(code: BackendFault, message: string, { retryable }: { retryable: boolean }) {
    super(message)
    this.name = 'BackendError'
    this.code = code
    this.retryable = retryable
  }
}

/** The end of work that its caller stopped; another run may finish it. */
export const aborted = () => new BackendError('backend_failed', 'stopped', { retryable: true })
