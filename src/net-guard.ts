import { Resolver } from 'node:dns/promises'
import { BlockList, isIP, isIPv4, isIPv6, type LookupFunction } from 'node:net'

/**
 * The guard between tithe and addresses that strangers name (relay lists, LNURL callbacks): a name
 * must resolve to the public Internet only, and the connection goes to the address that was checked.
 */

/** IPv4 ranges that are not the public Internet (IANA special-purpose registry), plus Azure's host agent. */
const NOT_PUBLIC_V4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '168.63.129.16/32',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
]

/** Parts of global unicast that still lead elsewhere: Teredo and other protocols, documentation, 6to4. */
const NOT_PUBLIC_V6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20']

const notPublic = new BlockList()
for (const range of NOT_PUBLIC_V4) addRange(notPublic, range, 'ipv4')
for (const range of NOT_PUBLIC_V6) addRange(notPublic, range, 'ipv6')

/** IPv6 is allowed by range, not refused: everything outside global unicast is local or reserved. */
const globalUnicast = new BlockList()
globalUnicast.addSubnet('2000::', 3, 'ipv6')

/** NAT64 (RFC 6052): the last 32 bits are an IPv4 address, and that one decides. */
const NAT64_GROUPS = ['64', 'ff9b', '0', '0', '0', '0']

/**
 * Whether `ip` (a literal, without brackets) is on the public Internet. False for private, loopback,
 * link-local, CGNAT, cloud metadata, multicast, reserved and documentation ranges, for IPv4 mapped
 * into IPv6, for zone ids, and for anything that is not an address.
 */
export function isPublicAddress(ip: string): boolean {
  if (isIPv4(ip)) return !notPublic.check(ip, 'ipv4')
  if (!isIPv6(ip) || ip.includes('%')) return false
  const embedded = nat64Address(ip)
  if (embedded !== undefined) return isPublicAddress(embedded)
  return globalUnicast.check(ip, 'ipv6') && !notPublic.check(ip, 'ipv6')
}

/** Names that resolve inside a network or a host, whatever the public DNS says. */
const LOCAL_SUFFIXES = [
  'localhost',
  'local',
  'localdomain',
  'internal',
  'intranet',
  'private',
  'corp',
  'home',
  'lan',
  'home.arpa',
  'onion',
  'i2p',
]

/**
 * Whether `host` (a URL's hostname) may be asked of DNS at all: a dotted name that is neither an
 * address literal nor a local name. The addresses it resolves to are checked by `publicLookup`.
 */
export function isPublicName(host: string): boolean {
  const name = host.toLowerCase().replace(/\.$/, '')
  if (name.length > 253 || !name.includes('.') || name.startsWith('[')) return false
  if (isIP(name) !== 0) return false
  return !LOCAL_SUFFIXES.some((suffix) => name === suffix || name.endsWith(`.${suffix}`))
}

/** Gives every address of a name; rejects when there is none. */
export type Resolve = (hostname: string) => Promise<string[]>

/**
 * `lookup` for a socket to a host that a stranger named: refuses unless **every** address is public,
 * and hands those very addresses to the socket, so that a second answer (DNS rebinding) is never asked for.
 */
export function publicLookup(resolve: Resolve = resolveByDns): LookupFunction {
  return (hostname, options, callback) => {
    const refuse = (error: Error) => callback(error, '', 0)
    resolve(hostname).then(
      (addresses) => {
        const [first] = addresses
        if (first === undefined) return refuse(new GuardError(hostname, 'no address'))
        if (!addresses.every(isPublicAddress))
          return refuse(new GuardError(hostname, 'private address'))
        if (!options.all) return callback(null, first, isIP(first))
        callback(
          null,
          addresses.map((address) => ({ address, family: isIP(address) })),
        )
      },
      (error) => refuse(error instanceof Error ? error : new GuardError(hostname, 'no answer')),
    )
  }
}

/** The host was refused before a connection was made. */
export class GuardError extends Error {
  readonly code = 'REFUSED_ADDRESS'
  constructor(hostname: string, why: string) {
    super(`${hostname}: ${why}`)
    this.name = 'GuardError'
  }
}

/**
 * Asks DNS itself with a deadline. getaddrinfo would occupy one of four threads for as long as a
 * hostile name server likes, and would read the hosts file, which names things inside.
 */
async function resolveByDns(hostname: string): Promise<string[]> {
  const resolver = new Resolver({ timeout: 3_000, tries: 1 })
  const answers = await Promise.allSettled([
    resolver.resolve4(hostname),
    resolver.resolve6(hostname),
  ])
  return answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
}

function addRange(list: BlockList, range: string, family: 'ipv4' | 'ipv6'): void {
  const [address = '', bits] = range.split('/')
  list.addSubnet(address, Number(bits), family)
}

function nat64Address(ip: string): string | undefined {
  // The URL parser writes the shortest form in hex, dotted tails included.
  const groups = expand(new URL(`http://[${ip}]`).hostname.slice(1, -1))
  if (!NAT64_GROUPS.every((group, index) => groups[index] === group)) return undefined
  const [high = 0, low = 0] = groups.slice(6).map((group) => Number.parseInt(group, 16))
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`
}

function expand(short: string): string[] {
  const [head = '', tail] = short.split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  return [...before, ...Array(8 - before.length - after.length).fill('0'), ...after]
}
