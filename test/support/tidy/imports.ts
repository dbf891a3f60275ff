import { posix } from 'node:path'
import { type Breach, inSource, type Rule } from './rule.ts'
import { child, children, type Node, type Source, textOf } from './source.ts'

/*
 * Who may import whom. Imports point one way, so that the money can be read without the network and
 * the network without the database:
 *
 *   main → daemon → journey, operator, sandbox → store, nostr, lightning, backends, doors → money
 */

/** What each part may import beside itself and the leaves. `*` is everything. */
const mayImport: Record<string, string[]> = {
  main: ['*'],
  daemon: ['*'],
  journey: ['store', 'nostr', 'lightning', 'backends', 'doors', 'money'],
  operator: ['store', 'nostr', 'lightning', 'backends', 'doors', 'money', 'config', 'ground'],
  sandbox: ['store', 'nostr', 'lightning', 'backends', 'doors', 'money', 'config', 'ground'],
  store: ['money'],
  nostr: ['money'],
  lightning: ['money'],
  backends: ['money'],
  doors: ['money'],
  config: ['money', 'nostr'],
  ground: ['*'],
  money: [],
}

/** Small files that know nothing of the rest; anyone may import them, money only the bounds. */
const leaves = new Set([
  'limits',
  'clock',
  'log',
  'json',
  'net-guard',
  'secret',
  'failpoint',
  'corked',
])
const moneyLeaves = new Set(['limits'])

/** Files beside `config.ts` that are part of it. */
const partOfConfig = new Set(['config', 'settings', 'setting-texts'])

/** The shape of an event is known to the doors too; a type couples nothing at run time. */
const sharedTypes = new Set(['src/nostr/types.ts'])

/** Steps meet in rows: they share files of the journey and types, and never call each other. */
const steps = ['intake', 'accept', 'quote', 'payment', 'work', 'settle', 'deliver', 'withdraw']

/** Packages that have one home, as parts or files. A type may be imported anywhere. */
const homes: Record<string, string[]> = {
  'nostr-tools': ['nostr'],
  koffi: ['nostr'],
  'tiny-secp256k1': ['nostr', 'lightning'],
  ws: ['nostr', 'sandbox', 'lightning'],
  postgres: ['store'],
  'gpt-tokenizer': ['backends'],
  'prom-client': ['operator'],
  pino: ['log'],
  commander: ['main', 'operator', 'sandbox'],
  zod: ['config', 'doors', 'nostr', 'lightning', 'backends', 'operator', 'sandbox'],
}

/** What reaches a network. The store has none, the money not even a file. */
const network = new Set(['node:http', 'node:https', 'node:http2', 'node:dgram', 'node:dns'])

interface Import {
  offset: number
  from: string
  typeOnly: boolean
}

export const importRules: Rule[] = [
  {
    title: 'imports point one way',
    applies: inSource,
    breaches: (source) => importsOf(source).flatMap((it) => directionBreach(source.path, it)),
  },
  {
    title: 'the source never imports tests or benches',
    applies: inSource,
    breaches: (source) =>
      importsOf(source)
        .filter(
          ({ from }) =>
            from.startsWith('.') && !/^(src\/|package\.json$)/.test(target(source.path, from)),
        )
        .map(({ offset, from }) => ({ offset, what: `imports ${from} from outside src/` })),
  },
  {
    title: 'steps of the journey do not import each other',
    applies: (path) => path.startsWith('src/journey/'),
    breaches: (source) => {
      const own = stepOf(source.path)
      return importsOf(source).flatMap(({ offset, from, typeOnly }) => {
        const other = from.startsWith('./') ? stepOf(target(source.path, from)) : undefined
        if (typeOnly || !own || !other || own === other) return []
        return [{ offset, what: `step ${own} imports step ${other}; they meet in rows` }]
      })
    },
  },
  {
    title: 'a package is imported in its one home',
    applies: inSource,
    breaches: (source) => importsOf(source).flatMap((it) => packageBreach(source.path, it)),
  },
  {
    title: 'no file only hands on what others export',
    applies: inSource,
    breaches: barrelBreaches,
  },
]

function directionBreach(path: string, { offset, from, typeOnly }: Import): Breach[] {
  if (!from.startsWith('.')) return []
  const to = target(path, from)
  const [own, other] = [partOf(path), partOf(to)]
  if (own === other || (typeOnly && sharedTypes.has(to) && own !== 'money')) return []
  const known = own === 'money' ? moneyLeaves : leaves
  if (known.has(other)) return []
  const allowed = mayImport[own] ?? []
  if (allowed.includes('*') || allowed.includes(other)) return []
  return [{ offset, what: `${own} may not import ${other} (${from})` }]
}

function packageBreach(path: string, { offset, from, typeOnly }: Import): Breach[] {
  if (from.startsWith('.')) return []
  const own = partOf(path)
  if (own === 'money') return [{ offset, what: `money imports ${from}; it imports nothing` }]
  if (own === 'store' && network.has(from.replace('/promises', ''))) {
    return [{ offset, what: `store imports ${from}; it cannot reach a network` }]
  }
  const name = from.startsWith('@') ? from : (from.split('/')[0] ?? from)
  const allowed = homes[name]
  if (typeOnly || !allowed || allowed.includes(own)) return []
  return [{ offset, what: `${from} belongs in ${allowed.join(', ')}` }]
}

/**
 * A part is a folder of `src/`. A file beside the folders is a leaf, or of the composition root;
 * what is neither is ground that the daemon and the commands both stand on, which
 * constructs as the daemon does.
 */
function partOf(path: string): string {
  const [, first = '', second] = path.split('/')
  if (second !== undefined) return first
  const name = first.replace(/\.ts$/, '')
  if (partOfConfig.has(name)) return 'config'
  if (leaves.has(name)) return name
  return /^(main|daemon)(-|$)/.exec(name)?.[1] ?? 'ground'
}

function stepOf(path: string): string | undefined {
  const word = posix.basename(path, '.ts').split('-')[0]
  return steps.find((step) => step === word)
}

const target = (path: string, from: string): string => posix.join(posix.dirname(path), from)

function importsOf(source: Source): Import[] {
  return source.places.flatMap(({ node }) => {
    const from = textOf(child(node, 'source'))
    if (from === undefined) return []
    return [{ offset: node.start, from, typeOnly: isTypeOnly(node) }]
  })
}

function isTypeOnly(node: Node): boolean {
  if (node.importKind === 'type' || node.exportKind === 'type') return true
  const names = children(node, 'specifiers')
  return names.length > 0 && names.every((name) => name.importKind === 'type')
}

/** A file of exports of others hides where a thing lives; `export *` hides even what it is. */
function barrelBreaches(source: Source): Breach[] {
  const statements = children(source.places[0]?.node, 'body')
  const star = statements.filter(({ type }) => type === 'ExportAllDeclaration')
  const handsOn = (node: Node) => /^Export/.test(node.type) && child(node, 'source') !== undefined
  const barrel = statements.length > 0 && statements.every(handsOn)
  return [
    ...star.map(({ start }) => ({ offset: start, what: 'export * hides what is exported' })),
    ...(barrel ? [{ offset: 0, what: 'this file only hands on exports of others' }] : []),
  ]
}

/** Chains of imports that lead back to where they began, each as the paths it passes. */
export function importCycles(sources: Source[]): string[] {
  const imports = new Map(
    sources.map((source) => [
      source.path,
      importsOf(source)
        .filter(({ from, typeOnly }) => from.startsWith('.') && !typeOnly)
        .map(({ from }) => target(source.path, from)),
    ]),
  )
  const done = new Set<string>()
  const cycles: string[] = []
  const follow = (path: string, way: string[]): void => {
    const before = way.indexOf(path)
    if (before >= 0) cycles.push([...way.slice(before), path].join(' → '))
    if (before >= 0 || done.has(path)) return
    for (const next of imports.get(path) ?? []) follow(next, [...way, path])
    done.add(path)
  }
  for (const path of imports.keys()) follow(path, [])
  return cycles
}
