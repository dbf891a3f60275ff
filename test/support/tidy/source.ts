import { globSync, readFileSync } from 'node:fs'
import { parseSync } from 'vite'

/** A node of the syntax tree, as far as the rules look at it. */
export interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [key: string]: unknown
}

/** A node with the nodes above it, nearest first. */
export interface Place {
  node: Node
  above: readonly Node[]
}

export interface Source {
  /** From the repository's root, with `/`. */
  path: string
  text: string
  places: Place[]
  comments: { text: string; start: number }[]
  lineOf(offset: number): number
}

/** Reads TypeScript as syntax, so that no rule mistakes a word in a text for code. */
export function parseSource(path: string, text: string): Source {
  const { program, comments, errors } = parseSync(path, text, { lang: 'ts' })
  if (errors.length > 0) throw new Error(`${path}: ${errors[0]?.message}`)
  const places: Place[] = []
  walk(program, [], places)
  const starts = [...text.matchAll(/\n/g)].map((match) => match.index)
  return {
    path,
    text,
    places,
    comments: comments.map(({ value, start }) => ({ text: value, start })),
    lineOf: (offset) => starts.filter((start) => start < offset).length + 1,
  }
}

/** Every TypeScript file of the program, its tests, benches and examples. */
export function readSources(): Source[] {
  const paths = globSync(['{src,test,bench,examples}/**/*.ts'], {
    exclude: (path) => path.includes('node_modules'),
  })
  return paths
    .map((path) => path.replaceAll('\\', '/'))
    .toSorted()
    .map((path) => parseSource(path, readFileSync(path, 'utf8')))
}

function walk(value: unknown, above: Node[], places: Place[]): void {
  if (Array.isArray(value)) {
    for (const item of value) walk(item, above, places)
    return
  }
  if (!isNode(value)) return
  places.push({ node: value, above })
  const below = [value, ...above]
  for (const part of Object.values(value)) {
    if (typeof part === 'object') walk(part, below, places)
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && 'start' in value
}

/** The node under `key`, if there is one. */
export function child(node: Node | undefined, key: string): Node | undefined {
  const value = node?.[key]
  return isNode(value) ? value : undefined
}

export function children(node: Node | undefined, key: string): Node[] {
  const value = node?.[key]
  return Array.isArray(value) ? value.filter(isNode) : []
}

/** The name of an identifier or of a private one; '' for anything else. */
export function nameOf(node: Node | undefined): string {
  const named = node?.type === 'Identifier' || node?.type === 'PrivateIdentifier'
  return named && typeof node.name === 'string' ? node.name : ''
}

/** The text of a literal or of a template up to its first `${`; undefined for anything else. */
export function textOf(node: Node | undefined): string | undefined {
  if (node?.type === 'Literal' && typeof node.value === 'string') return node.value
  if (node?.type === 'TemplateElement') {
    const value = node.value
    if (typeof value !== 'object' || value === null || !('raw' in value)) return undefined
    return String(value.raw)
  }
  return node?.type === 'TemplateLiteral' ? textOf(children(node, 'quasis')[0]) : undefined
}

/** `a.b.c` of a chain of names, '' where one link is something else. */
export function chainOf(node: Node | undefined): string {
  if (node?.type === 'CallExpression') return chainOf(child(node, 'callee'))
  if (node?.type === 'TaggedTemplateExpression') return chainOf(child(node, 'tag'))
  if (node?.type !== 'MemberExpression') return nameOf(node)
  const object = chainOf(child(node, 'object'))
  return `${object}.${nameOf(child(node, 'property'))}`
}
