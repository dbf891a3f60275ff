import { type Breach, everywhere, inSource, type Rule } from './rule.ts'
import { chainOf, child, children, nameOf, type Place, type Source, textOf } from './source.ts'

/*
 * Habits that keep the program testable: one reader of the clock, one of the environment, nothing
 * that a test could not own, and no way around the types.
 */

/** `setImmediate` is none: it gives way to other work and measures nothing. */
const timers = new Set(['setTimeout', 'setInterval'])

export const habitRules: Rule[] = [
  {
    title: 'only config.ts and main.ts read the environment',
    applies: (path) => /^(src|test|bench)\//.test(path) && !mayReadEnvironment(path),
    breaches: environmentBreaches,
  },
  {
    title: 'only the clock tells the time and makes pauses',
    applies: (path) => inSource(path) && path !== 'src/clock.ts',
    breaches: clockBreaches,
  },
  {
    title: 'nothing in the source writes to the console',
    applies: inSource,
    breaches: (source) =>
      identifiersOf(source)
        .filter(({ node }) => nameOf(node) === 'console')
        .map(({ node }) => ({ offset: node.start, what: 'console; the log is handed in' })),
  },
  {
    title: 'SQL is a tagged template outside migrations',
    applies: (path) => inSource(path) && path !== 'src/store/migrate.ts',
    breaches: (source) =>
      source.places
        .filter(({ node }) => node.type === 'MemberExpression')
        .filter(({ node }) => nameOf(child(node, 'property')) === 'unsafe')
        .map(({ node }) => ({ offset: node.start, what: 'unsafe() sends SQL as text' })),
  },
  {
    title: 'only lightning and backends fetch',
    applies: (path) => inSource(path) && !/^src\/(lightning|backends)\//.test(path),
    breaches: (source) =>
      source.places
        .filter(({ node }) => node.type === 'CallExpression')
        .filter(({ node }) => /^(globalThis\.)?fetch$/.test(chainOf(node)))
        .map(({ node }) => ({ offset: node.start, what: 'fetch belongs in lightning, backends' })),
  },
  {
    title: 'money is the same whenever and however often it is asked',
    applies: (path) => path.startsWith('src/money/'),
    breaches: (source) =>
      source.places
        .filter(({ node }) => /^(Math\.random|Date|Date\.now|process)$/.test(valueChain(node)))
        .map(({ node }) => ({ offset: node.start, what: `${chainOf(node)} in a pure rule` })),
  },
  {
    title: 'exports have names',
    applies: everywhere,
    breaches: (source) =>
      ofType(source, 'ExportDefaultDeclaration', 'a default export has no name to search for'),
  },
  {
    title: 'no value escapes its type',
    applies: everywhere,
    breaches: (source) => [
      ...ofType(source, 'TSAnyKeyword', 'any'),
      ...source.places.filter(isDoubleAssertion).map(({ node }) => ({
        offset: node.start,
        what: 'a double assertion; parse the value instead',
      })),
      ...commentsLike(
        source,
        /@ts-(ignore|nocheck)|@ts-expect-error(?! \S.{7,})|biome-ignore(?! \S+: \S.{9,})/,
        'switches a check off',
      ),
    ],
  },
  {
    title: 'the source runs as written, without a build',
    applies: everywhere,
    breaches: (source) => [
      ...ofType(source, 'TSEnumDeclaration', 'an enum needs a build; use a union'),
      ...ofType(source, 'TSParameterProperty', 'a parameter property needs a build'),
      ...ofType(source, 'TSExportAssignment', 'export = needs a build'),
    ],
  },
  {
    title: 'no comment leaves work or noise behind',
    applies: everywhere,
    breaches: (source) => [
      ...commentsLike(
        source,
        /\b(TODO|FIXME|XXX|HACK|WIP)\b|not implemented|placeholder|for now\b/,
        'a leftover marker',
      ),
      ...commentsLike(source, /[-=#~*]{8,}/, 'a banner'),
      ...ofType(source, 'DebuggerStatement', 'debugger'),
    ],
  },
]

/** Tests read the environment in their support files alone, where it is documented once. */
const mayReadEnvironment = (path: string): boolean =>
  /^src\/(config|main)\.ts$|^test\/support\/|^bench\//.test(path)

function clockBreaches(source: Source): Breach[] {
  return source.places.flatMap(({ node, above }) => {
    const offset = node.start
    const chain = valueChain(node)
    if (/^(Date\.now|performance\.now)$/.test(chain)) return [{ offset, what: `${chain}()` }]
    const called = above[0]?.type === 'CallExpression' && child(above[0], 'callee') === node
    if (called && timers.has(chain)) return [{ offset, what: `${chain}; use the clock's sleep` }]
    if (node.type === 'NewExpression' && chainOf(child(node, 'callee')) === 'Date') {
      const args = node.arguments
      return Array.isArray(args) && args.length === 0 ? [{ offset, what: 'new Date()' }] : []
    }
    const from = textOf(child(node, 'source')) ?? ''
    return /^(node:)?timers/.test(from) ? [{ offset, what: `imports ${from}` }] : []
  })
}

/** A name or chain that is used as a value, not declared or written as a type or a key. */
function valueChain(node: Place['node']): string {
  return node.type === 'MemberExpression' || node.type === 'Identifier' ? chainOf(node) : ''
}

/** Identifiers that are values: no property names, no keys. */
function identifiersOf(source: Source): Place[] {
  return source.places.filter(({ node, above }) => {
    if (node.type !== 'Identifier') return false
    const parent = above[0]
    if (parent?.type === 'MemberExpression') return child(parent, 'object') === node
    return parent?.type !== 'Property' || child(parent, 'value') === node
  })
}

/** `process.env` in any of its spellings. */
function environmentBreaches(source: Source): Breach[] {
  return source.places.flatMap(({ node }) => {
    const member = node.type === 'MemberExpression' && chainOf(node) === 'process.env'
    const parts = children(child(node, 'id'), 'properties').map((part) => child(part, 'key'))
    const taken = nameOf(child(node, 'init')) === 'process' && parts.map(nameOf).includes('env')
    const imported = /^(node:)?process$/.test(textOf(child(node, 'source')) ?? '')
    const found = member || taken || imported
    return found ? [{ offset: node.start, what: 'reads the environment' }] : []
  })
}

function ofType(source: Source, type: string, what: string): Breach[] {
  return source.places
    .filter(({ node }) => node.type === type)
    .map(({ node }) => ({ offset: node.start, what }))
}

const isAssertion = (type: string | undefined) =>
  type === 'TSAsExpression' || type === 'TSTypeAssertion'

const isDoubleAssertion = ({ node }: Place): boolean =>
  isAssertion(node.type) && isAssertion(child(node, 'expression')?.type)

function commentsLike(source: Source, pattern: RegExp, what: string): Breach[] {
  return source.comments.flatMap(({ text, start }) => {
    const match = pattern.exec(text)
    return match ? [{ offset: start + 2 + match.index, what: `${what}: ${match[0]}` }] : []
  })
}
