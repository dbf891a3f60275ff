/**
 * Named places on the money path where tests may end, hold or fail the program: each await and each commit that a
 * crash can fall between. Compiled in and idle: unarmed, a failpoint is one comparison.
 *
 * `…:before-commit` lies inside a transaction, after its last write; `…:committed` right after it.
 */
export const failpoints = [
  'intake:opened',
  'accept:before-commit',
  'accept:committed',
  'answer:before-commit',
  'answer:committed',
  'quote:start',
  'quote:invoice-made',
  'quote:before-commit',
  'quote:committed',
  'funds:invoice-made',
  'funds:before-commit',
  'funds:committed',
  'payment:seen',
  'payment:before-commit',
  'payment:committed',
  'expiry:asked',
  'expiry:before-commit',
  'expiry:committed',
  'work:start',
  'work:end',
  'settle:before-commit',
  'settle:committed',
  'deliver:signed',
  'deliver:stored',
  'deliver:published',
  'deliver:before-commit',
  'deliver:committed',
  'withdraw:before-hold',
  'withdraw:held',
  'withdraw:before-sent',
  'withdraw:sent',
  'withdraw:paid',
  'withdraw:before-terminal',
  'withdraw:terminal',
] as const

export type Failpoint = (typeof failpoints)[number]

type Hook = (name: Failpoint) => Promise<void> | void

let hook: Hook | undefined

/** Passes a failpoint; resolves at once unless a test has armed it. */
export const failpoint = (name: Failpoint): Promise<void> | void => hook?.(name)

/** Arms every failpoint with one hook, or disarms them. For tests, and for `armKill`. */
export function armFailpoints(armed: Hook | undefined): void {
  hook = armed
}

/** Kills this process with SIGKILL at the `count`-th pass of a failpoint, `name` or `name#count`. */
export function armKill(text: string): void {
  const [name, count = '1'] = text.split('#')
  if (!failpoints.some((known) => known === name)) throw new Error(`no failpoint ${name}`)
  let left = Number(count)
  armFailpoints((passed) => {
    if (passed !== name) return
    left -= 1
    if (left === 0) process.kill(process.pid, 'SIGKILL')
    // Nothing after the failpoint may run while the signal is on its way.
    if (left === 0) return new Promise(() => {})
  })
}
