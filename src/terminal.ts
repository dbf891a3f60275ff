import { createInterface } from 'node:readline/promises'
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
  /** Columns of a line, 100 where nobody says. */
  readonly columns: number
  /** Asks for yes or no; undefined when nobody sits there. No is the default. */
  confirm(question: string, signal: AbortSignal): Promise<boolean | undefined>
}

const COLUMNS = 100

/** The terminal of this process. `onReaderGone`: whoever read the output (`| head`) wants no more. */
export function createTerminal(
  { stdin, stdout, stderr }: NodeJS.Process,
  onReaderGone: () => void,
): Terminal {
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    onReaderGone()
  })
  return {
    print: (text) => void stdout.write(`${text}\n`),
    tell: (text) => void stderr.write(`${text}\n`),
    clear() {
      // Home, then erase from there: one write, so that a watched screen does not flicker.
      if (stdout.isTTY) stdout.write('\u001b[H\u001b[J')
    },
    paint: (style, text) => styleText(style, text, { stream: stdout }),
    columns: stdout.columns ?? COLUMNS,
    async confirm(question, signal) {
      if (!stdin.isTTY) return undefined
      const lines = createInterface({ input: stdin, output: stderr })
      try {
        return /^y(es)?$/i.test((await lines.question(`${question} [y/N] `, { signal })).trim())
      } catch (error) {
        // End of input, or the command is being stopped.
        if (error instanceof Error && error.name === 'AbortError') return false
        throw error
      } finally {
        lines.close()
      }
    },
  }
}
