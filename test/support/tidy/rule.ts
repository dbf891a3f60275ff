import type { Source } from './source.ts'

/** Where in a file a rule is broken, and how. */
export interface Breach {
  offset: number
  what: string
}

/** A house rule that a machine can see. */
export interface Rule {
  /** As a claim about the tree. */
  title: string
  /** Files it is about. */
  applies(path: string): boolean
  breaches(source: Source): Breach[]
}

/** `path:line: what`, so that an editor jumps there. */
export const report = (rule: Rule, source: Source): string[] =>
  rule.applies(source.path)
    ? rule
        .breaches(source)
        .map(({ offset, what }) => `${source.path}:${source.lineOf(offset)}: ${what}`)
    : []

export const inSource = (path: string): boolean => path.startsWith('src/')
export const inTests = (path: string): boolean => path.startsWith('test/')
export const everywhere = (): boolean => true
