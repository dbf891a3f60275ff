import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { COMMAND_GRACE_MS, COMMAND_MEMORY_BYTES, RESULT_CHARS } from '../limits.ts'
import { aborted, type Backend, BackendError } from './backend.ts'
import { confine, type Ending, runConfined } from './confined.ts'
import { plainText } from './plain-text.ts'

export interface CommandOptions {
  /** Program and arguments. No shell reads them, and no part of a request is in them. */
  argv: readonly string[]
  timeoutMs: number
  maxOutputBytes?: number
  /** The whole environment of the program. Empty by default, because ours may hold keys. */
  env?: Readonly<Record<string, string>>
  /** Where it runs; by default an empty directory of its own that is removed afterwards. */
  cwd?: string
  /** Where a program without a slash is looked for, directories separated by colons. */
  searchPath?: string
  memoryBytes?: number
  /** Between the polite signal and the last one. */
  graceMs?: number
}

/** Exit statuses with a meaning (sysexits.h): the request is not for us, and try again later. */
const EX_DATAERR = 65
const EX_TEMPFAIL = 75

/** System errors of a start that a later try may not meet. */
const PASSING_FAULTS = new Set(['EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE', 'ENOSPC', 'ETXTBSY'])

/**
 * Any program as a backend: the request on its stdin, the result on its stdout, status 0 for
 * success, 65 for "not this request", 75 for "not now". Each run has a process group of its own,
 * which is gone when the run is over, whatever it started in the background.
 * @throws Error when there is no such program.
 */
export function createCommand(options: CommandOptions): Backend {
  const { searchPath = '/usr/local/bin:/usr/bin:/bin' } = options
  const confined = confine({
    argv: options.argv,
    searchPath,
    memoryBytes: options.memoryBytes ?? COMMAND_MEMORY_BYTES,
  })
  return {
    name: 'command',
    async run({ request, signal }) {
      if (signal.aborted) throw aborted()
      const scratch = options.cwd === undefined ? await makeScratch() : undefined
      try {
        const ending = await runConfined({
          argv: confined.argv,
          env: options.env ?? {},
          cwd: options.cwd ?? scratch ?? tmpdir(),
          input: request,
          timeoutMs: options.timeoutMs,
          maxOutputBytes: options.maxOutputBytes ?? 4 * RESULT_CHARS,
          graceMs: options.graceMs ?? COMMAND_GRACE_MS,
          signal,
        })
        return { result: resultOf(ending), usage: null }
      } finally {
        if (scratch) await removeScratch(scratch)
      }
    },
  }
}

async function makeScratch(): Promise<string> {
  try {
    return await mkdtemp(join(tmpdir(), 'tithe-command-'))
  } catch {
    throw failed('no scratch directory', true)
  }
}

/** What cannot be removed is left: it costs disk, and the result that was paid for is at hand. */
const removeScratch = (path: string) => rm(path, { recursive: true, force: true }).catch(() => {})

function resultOf(ending: Ending): string {
  switch (ending.how) {
    case 'unstarted':
      throw failed(`not started (${ending.code})`, PASSING_FAULTS.has(ending.code))
    case 'stopped':
      if (ending.why === 'caller') throw aborted()
      if (ending.why === 'output') throw failed('too much output')
      // A program that was too slow once will be so again, and its customer waits all that time.
      throw new BackendError('backend_timeout', 'too slow', { retryable: false })
    case 'signalled':
      throw failed(`ended by ${ending.signal}`, true)
    case 'exited':
      return resultOfExit(ending.status, ending.output)
  }
}

function resultOfExit(status: number, output: Buffer): string {
  if (status === EX_DATAERR) {
    throw new BackendError('rejected', 'the program refused', { retryable: false })
  }
  if (status !== 0) throw failed(`exit status ${status}`, status === EX_TEMPFAIL)
  const result = plainText(output.toString('utf8'))
  if (result === '') throw failed('an empty result')
  if (result.length > RESULT_CHARS) throw failed('too much output')
  return result
}

const failed = (message: string, retryable = false) =>
  new BackendError('backend_failed', message, { retryable })
