import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { styleText } from 'node:util'

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan' | 'magenta'

/** Where a command writes. Standard output is for what was asked for, standard error for all else. */
export interface Terminal {
  /** A line of what the command was asked for. */
  print(text: string): void
  /** A line to whoever sits there; a script that reads the output never sees it. */
  tell(text: string): void
  /** Empties the screen where a person reads it; does nothing for a pipe. */
  clear(): void
  /** Colours a text where a person reads it; unchanged for a pipe and under NO_COLOR. */
  paint(style: Style, text: string): string
  /** Whether somebody sits at the keyboard. */
  readonly isAttended: boolean
  /** Columns of a line, 100 where nobody says. */
  readonly columns: number
  /**
   * Asks for a line; undefined when nobody sits there, at the end of input, or when `signal` aborts. A secret is
   * not shown while it is typed.
   */
  ask(
    question: string,
    options: { signal: AbortSignal; isSecret?: boolean },
  ): Promise<string | undefined>
  /**
   * Asks for yes or no, no being the default; undefined when nobody sits there, at the end of input, or when
   * `signal` aborts.
   */
  confirm(question: string, signal: AbortSignal): Promise<boolean | undefined>
}

const COLUMNS = 100

/**
 * The terminal of this process. `onReaderGone`: whoever read the output (`| head`) wants no more. That is no
 * failure, and a command that ends by itself goes on to its status: an audit's is what a watchdog looks at.
 */
export function createTerminal(
  { stdin, stdout, stderr, exit }: NodeJS.Process,
  onReaderGone: () => void,
): Terminal {
  stdout.on('error', ({ code }: NodeJS.ErrnoException) => {
    if (code === 'EPIPE') return onReaderGone()
    stderr.write(`What was asked for cannot be written (${code}).\n`)
    exit(1)
  })
  // Ctrl-C ends the `tee` that reads this as well: whoever then says "Stopping" still has to stop.
  stderr.on('error', () => {})
  return {
    print: (text) => void stdout.write(`${text}\n`),
    tell: (text) => void stderr.write(`${text}\n`),
    clear() {
      // Home, then erase from there: one write, so that a watched screen does not flicker.
      if (stdout.isTTY) stdout.write('\u001b[H\u001b[J')
    },
    paint: (style, text) => styleText(style, text, { stream: stdout }),
    isAttended: stdin.isTTY === true,
    columns: stdout.columns ?? COLUMNS,
    ask: (question, options) => askLine({ stdin, stderr }, question, options),
    async confirm(question, signal) {
      if (!stdin.isTTY) return undefined
      const lines = createInterface({ input: stdin, output: stderr })
      try {
        return /^y(es)?$/i.test((await lines.question(`${question} [y/N] `, { signal })).trim())
      } catch (error) {
        // Ctrl-C is one of them: whoever asks again until it hears a yes must be told.
        if (error instanceof Error && error.name === 'AbortError') return undefined
        throw error
      } finally {
        lines.close()
      }
    },
  }
}

async function askLine(
  { stdin, stderr }: Pick<NodeJS.Process, 'stdin' | 'stderr'>,
  question: string,
  { signal, isSecret = false }: { signal: AbortSignal; isSecret?: boolean },
): Promise<string | undefined> {
  if (!stdin.isTTY) return undefined
  // Readline echoes what is typed to its output, so a secret gets one that shows nothing.
  if (isSecret) stderr.write(question)
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  const lines = createInterface({
    input: stdin,
    output: isSecret ? nowhere : stderr,
    terminal: true,
  })
  const ended = new Promise<undefined>((resolve) => lines.once('close', () => resolve(undefined)))
  try {
    return await Promise.race([lines.question(isSecret ? '' : question, { signal }), ended])
  } catch (error) {
    if (error instanceof Error && error.name === 'AbortError') return undefined
    throw error
  } finally {
    lines.close()
    if (isSecret) stderr.write('\n')
  }
}
