import { type Breach, everywhere, inSource, type Rule } from './rule.ts'
import { child, nameOf, type Place, type Source } from './source.ts'

/*
 * One word, one meaning. What a reader finds under a name must be that thing, and a number must say
 * what it counts.
 */

/** Words for a role instead of a thing, and what to say in their place. */
const banned = new Map([
  ['manager', 'the thing it holds'],
  ['service', 'the thing it does'],
  ['helper', 'what it does'],
  ['helpers', 'what they do'],
  ['util', 'what it does'],
  ['utils', 'what they do'],
  ['task', 'job'],
  ['tasks', 'jobs'],
  ['user', 'customer'],
])

/** Names from the first design of the gate, kept so that people who know it find them again. */
const kept = new Set(['FreeTierService', 'PricingService'])

/** Last words of a number that leave its unit open, and units that end it well. */
const UNITLESS = new Set(
  (
    'amount balance budget charge refund fee price cost reserved absorbed credited shortfall ' +
    'timeout interval delay ttl age duration deadline'
  ).split(' '),
)

export const wordRules: Rule[] = [
  {
    title: 'no name has a banned word in it',
    applies: everywhere,
    breaches: (source) => [...fileNameBreaches(source), ...source.places.flatMap(wordBreaches)],
  },
  {
    title: 'pool means the money',
    applies: everywhere,
    breaches: (source) =>
      declared(source)
        .filter(({ node }) => /(relay|socket|sql|connection|simple)s?_?pool/i.test(nameOf(node)))
        .map(({ node }) => ({ offset: node.start, what: `${nameOf(node)} is no pool of sats` })),
  },
  {
    title: 'numbers of money and time end in their unit',
    applies: inSource,
    breaches: (source) =>
      source.places.filter(isNumberWithoutUnit).map(({ node }) => ({
        offset: node.start,
        what: `${keyOf(node)} is a number without a unit`,
      })),
  },
]

function fileNameBreaches({ path }: Source): Breach[] {
  return wordsOf(path.replaceAll('/', '_').replace(/\.ts$/, ''))
    .filter((word) => banned.has(word))
    .map((word) => ({ offset: 0, what: `the path says ${word}; say ${banned.get(word)}` }))
}

function wordBreaches(place: Place): Breach[] {
  const name = nameOf(place.node)
  if (name === '' || kept.has(name) || !isDeclaration(place)) return []
  return wordsOf(name)
    .filter((word) => banned.has(word))
    .map((word) => ({
      offset: place.node.start,
      what: `${name} says ${word}; say ${banned.get(word)}`,
    }))
}

/** `relayUrlMax` and `RELAY_URL_MAX` are the words relay, url, max. */
const wordsOf = (name: string): string[] =>
  name
    .replaceAll(/([a-z\d])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .split(/[^a-z]+/)

const declared = (source: Source): Place[] =>
  source.places.filter((place) => nameOf(place.node) !== '' && isDeclaration(place))

/** Names that we chose: what is only used, or is a key in another program's object, is not ours. */
function isDeclaration({ node, above }: Place): boolean {
  const parent = above[0]
  switch (parent?.type) {
    case 'VariableDeclarator':
    case 'FunctionDeclaration':
    case 'ClassDeclaration':
    case 'TSInterfaceDeclaration':
    case 'TSTypeAliasDeclaration':
      return child(parent, 'id') === node || isParameter(parent, node)
    case 'TSPropertySignature':
    case 'TSMethodSignature':
    case 'PropertyDefinition':
    case 'MethodDefinition':
      return child(parent, 'key') === node
    case 'ImportSpecifier':
      return child(parent, 'local') === node && nameOf(child(parent, 'imported')) !== nameOf(node)
    default:
      return parent !== undefined && isParameter(parent, node)
  }
}

function isParameter(parent: Place['node'], node: Place['node']): boolean {
  return Array.isArray(parent.params) && parent.params.includes(node)
}

const keyOf = (node: Place['node']): string => nameOf(child(node, 'key'))

/** Fields alone: they are read far from where they are explained, parameters stand beside it. */
function isNumberWithoutUnit({ node }: Place): boolean {
  if (node.type !== 'TSPropertySignature' && node.type !== 'PropertyDefinition') return false
  const type = child(child(node, 'typeAnnotation'), 'typeAnnotation')
  const last = wordsOf(keyOf(node)).at(-1) ?? ''
  return type?.type === 'TSNumberKeyword' && UNITLESS.has(last)
}
