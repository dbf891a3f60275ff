/** One thing that was looked at before a bot is trusted with sats. */
export interface Check {
  /** What was looked at: a relay's host, `LNbits`, `database`, … */
  about: string
  /** `warn`: it works, and something about it may hurt later. `fail`: it does not work. */
  verdict: 'ok' | 'warn' | 'fail'
  /** What was found. Holds no secret. */
  text: string
  /** What to do about it, where it is not well. */
  remedy?: string
}

/** Makes the checks about one thing. */
export function about(what: string) {
  const check = (verdict: Check['verdict'], text: string, remedy?: string): Check => ({
    about: what,
    verdict,
    text,
    ...(remedy === undefined ? {} : { remedy }),
  })
  return {
    ok: (text: string) => check('ok', text),
    warn: (text: string, remedy: string) => check('warn', text, remedy),
    fail: (text: string, remedy: string) => check('fail', text, remedy),
  }
}
