import { CommandError } from '../command.ts'
import { isApiKey } from '../setting-texts.ts'
import type { Terminal } from '../terminal.ts'
import type { Check } from './checks/check.ts'
import { linesOf } from './checks/show.ts'

/** What was typed, read; or what is wrong with it. */
export type Answer<T> = { value: T } | { complaint: string }

/** What one question is about. */
export interface Question<T> {
  /** One line; what is allowed, and what an empty answer means. */
  text: string
  /** What an empty answer stands for. */
  fallback?: string
  isSecret?: boolean
  read(answer: string): Answer<T>
  /** Tries it; may be asked anew when anything fails. */
  check?(value: T): Promise<Check[]>
}

export interface Asker {
  ask<T>(question: Question<T>): Promise<T>
  /** Tells what a trial found; whether it works or is kept all the same. */
  accepts(checks: readonly Check[]): Promise<boolean>
}

/** Asks until the answer can be read and, if it was tried, works or is kept all the same. */
export function createAsker(terminal: Terminal, signal: AbortSignal): Asker {
  async function accepts(checks: readonly Check[]): Promise<boolean> {
    for (const check of checks) {
      for (const line of linesOf(check, terminal)) terminal.tell(`  ${line}`)
    }
    if (checks.every(({ verdict }) => verdict !== 'fail')) return true
    const isKept = await terminal.confirm('  Keep it all the same?', signal)
    if (isKept === undefined) throw stopped()
    return isKept
  }
  return {
    accepts,
    async ask<T>(question: Question<T>): Promise<T> {
      for (;;) {
        const { text, fallback, isSecret = false } = question
        const typed = await terminal.ask(`${text} `, { signal, isSecret })
        if (typed === undefined) throw stopped()
        const answer = question.read(typed.trim() || (fallback ?? ''))
        if ('complaint' in answer) {
          terminal.tell(`  ${answer.complaint}`)
          continue
        }
        const { value } = answer
        if (await accepts((await question.check?.(value)) ?? [])) return value
      }
    },
  }
}

const stopped = () => new CommandError('Stopped; nothing was written.')

/** Reads the key of a server; the rule is `KEY_RULE`. */
export const apiKey = (answer: string): string | undefined =>
  isApiKey(answer) ? answer : undefined

/** Reads an answer by the rule of a setting: `undefined` is refused with the rule. */
export const byRule =
  <T>(rule: string, read: (text: string) => T | undefined) =>
  (answer: string): Answer<T> => {
    const value = read(answer)
    return value === undefined ? { complaint: `That is not ${rule}.` } : { value }
  }

/** As `byRule`, and an empty answer is an empty text. */
export const byRuleOrEmpty =
  (rule: string, read: (text: string) => string | undefined) =>
  (answer: string): Answer<string> =>
    answer === '' ? { value: '' } : byRule(rule, read)(answer)
