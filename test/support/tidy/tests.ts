import { type Breach, inTests, type Rule } from './rule.ts'
import {
  chainOf,
  child,
  children,
  nameOf,
  type Node,
  type Place,
  type Source,
  textOf,
} from './source.ts'

/*
 * Tests that cannot fail are worse than none: skipped ones, ones without an expectation, ones that
 * talk to somebody else's relay.
 */

const inTestFiles = (path: string): boolean => inTests(path) && path.endsWith('.test.ts')

export const testRules: Rule[] = [
  {
    title: 'no test is skipped, focused or expected to fail',
    applies: inTestFiles,
    breaches: (source) =>
      source.places
        .filter(({ node }) => node.type === 'MemberExpression')
        .filter(({ node }) => SWITCHES.test(chainOf(node)))
        .map(({ node }) => ({ offset: node.start, what: chainOf(node) })),
  },
  {
    title: 'every test expects something',
    applies: inTestFiles,
    breaches: (source) =>
      testsOf(source)
        .filter(({ body }) => body !== undefined && !expects(source, body))
        .map(({ offset, title }) => ({ offset, what: `"${title}" expects nothing` })),
  },
  {
    title: 'test titles are claims',
    applies: inTestFiles,
    breaches: (source) =>
      testsOf(source)
        .filter(({ title }) => /\b(should|works|correctly|properly)\b/i.test(title))
        .map(({ offset, title }) => ({ offset, what: `"${title}" does not say what is true` })),
  },
  {
    title: 'no test names a host that exists',
    applies: inTests,
    breaches: publicHosts,
  },
]

const SWITCHES = /^(test|it|describe|suite)(\.\w+)*\.(only|skip|todo|fails|skipIf|runIf)$/

interface Test {
  offset: number
  title: string
  /** The function that is the test; undefined where it is made by a call. */
  body: Node | undefined
}

function testsOf(source: Source): Test[] {
  return source.places.flatMap(({ node }) => {
    if (node.type !== 'CallExpression' || !isTestCall(child(node, 'callee'))) return []
    const [title, ...rest] = children(node, 'arguments')
    const body = rest.find(({ type }) => /^(Arrow)?Function(Expression)?$/.test(type))
    return [{ offset: node.start, title: textOf(title) ?? '', body: body ?? named(source, rest) }]
  })
}

/** `test(…)`, `test.each(…)(…)`, and the like; not the `test.each(…)` within. */
function isTestCall(callee: Node | undefined): boolean {
  const curried = callee?.type === 'CallExpression' || callee?.type === 'TaggedTemplateExpression'
  const chain = chainOf(callee)
  return curried ? /^(test|it)\.(each|for)$/.test(chain) : /^(test|it)(\.concurrent)?$/.test(chain)
}

/** A test given by name is the function of that name in the same file. */
function named(source: Source, args: Node[]): Node | undefined {
  const names = args.map(nameOf).filter((name) => name !== '')
  return source.places.find(({ node }) => names.includes(functionName(node)))?.node
}

/** The name of a function declaration, or of a constant that holds a function; '' otherwise. */
function functionName(node: Node): string {
  const holds = /Function/.test(child(node, 'init')?.type ?? '')
  const declares = node.type === 'FunctionDeclaration' || holds
  return declares ? nameOf(child(node, 'id')) : ''
}

/**
 * True when `body` calls `expect`, an assertion, or a function of the same file or an import whose
 * name says that it checks; `until` fails at its deadline. Follows calls within the file,
 * since tests share their last lines.
 */
function expects(source: Source, body: Node, seen = new Set<string>()): boolean {
  const calls = source.places.filter(({ node }) => isCallWithin(node, body))
  return calls.some(({ node }) => {
    const chain = chainOf(node)
    const first = chain.split('.')[0] ?? ''
    if (/^(expect|assert|check|verify|must|until)/.test(first) || chain === 'fc.assert') return true
    if (seen.has(first)) return false
    seen.add(first)
    const local = source.places.find((place) => functionName(place.node) === first)
    return local !== undefined && expects(source, local.node, seen)
  })
}

const isCallWithin = (node: Node, body: Node): boolean =>
  node.type === 'CallExpression' && node.start >= body.start && node.end <= body.end

/** Names that exist nowhere (RFC 2606, RFC 6761) and this machine. */
const RESERVED =
  /(^|\.)(test|tld|example|invalid|localhost|local|onion|internal|example\.(com|org|net))$/
const ADDRESS = /^[\d.]+$|^\[|^0x|^\d+$/

function publicHosts(source: Source): Breach[] {
  return source.places.flatMap((place) => {
    const text = textOf(place.node)
    if (text === undefined || place.node.type === 'TemplateLiteral') return []
    return [...text.matchAll(/\bwss?:\/\/(?:[^/\s@]*@)?(\[[^\]]*\]|[\w.-]+)/g)]
      .filter((match) => isPublic(match[1] ?? '', endsOpen(place, match)))
      .map((match) => ({ offset: place.node.start, what: `names the relay ${match[0]}` }))
  })
}

function isPublic(host: string, open: boolean): boolean {
  const name = host.toLowerCase().replace(/\.$/, '')
  return !open && name.includes('.') && !RESERVED.test(name) && !ADDRESS.test(name)
}

/** The host goes on in what a template inserts, so its end is not known here. */
function endsOpen({ node, above }: Place, match: RegExpMatchArray): boolean {
  const text = textOf(node) ?? ''
  const atEnd = (match.index ?? 0) + match[0].length === text.length
  const quasis = children(above[0], 'quasis')
  return node.type === 'TemplateElement' && atEnd && quasis.at(-1) !== node
}
