import type postgres from 'postgres'

/** Where a database is: an URL, or the directory of its unix socket. */
export interface DatabaseTarget {
  /**
   * `postgres://name:password@host:port/database`. As in libpq a `host` parameter, or a
   * percent-encoded host, that begins with `/` is the directory of a unix socket.
   */
  url?: string
  socketDir?: string
  port?: number
  database?: string
  username?: string
  password?: string
}

type DriverOptions = postgres.Options<Record<string, postgres.PostgresType>>
type Target = Pick<DriverOptions, 'host' | 'port' | 'path' | 'database' | 'username' | 'password'>

/**
 * Splits a target into what the driver reads itself (an URL over TCP) and what it must be told (a
 * socket: its own reading of URLs knows none).
 */
export function driverTarget(target: DatabaseTarget): { url: string | undefined; options: Target } {
  const { url, socketDir, port = 5432, database, username, password } = target
  const named = {
    ...(database === undefined ? {} : { database }),
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
  }
  if (socketDir !== undefined) {
    return { url: undefined, options: { ...socket(socketDir, port), ...named } }
  }
  if (url === undefined) throw new TypeError('a database target names an url or a socketDir')
  const parsed = parseDatabaseUrl(url)
  const dir = socketDirOf(parsed)
  if (dir === undefined) return { url, options: named }
  return {
    url: undefined,
    options: {
      ...socket(dir, Number(parsed.searchParams.get('port') ?? (parsed.port || port))),
      ...fromUrl(parsed),
      ...named,
    },
  }
}

const socket = (dir: string, port: number): Target => ({
  host: dir,
  port,
  path: `${dir}/.s.PGSQL.${port}`,
})

function fromUrl(url: URL): Target {
  const username = decodeURIComponent(url.username) || url.searchParams.get('user')
  const password = decodeURIComponent(url.password) || url.searchParams.get('password')
  const database = url.pathname.slice(1) || url.searchParams.get('dbname')
  return {
    ...(username ? { username } : {}),
    ...(password ? { password } : {}),
    ...(database ? { database } : {}),
  }
}

function socketDirOf(url: URL): string | undefined {
  const host = url.searchParams.get('host') ?? decodeURIComponent(url.hostname)
  return host.startsWith('/') ? host : undefined
}

/** Reads a `postgres://` or `postgresql://` URL; the error never repeats it, it holds a password. */
function parseDatabaseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url && /^postgres(ql)?:$/.test(url.protocol)) return url
  throw new TypeError(
    'DATABASE_URL is no PostgreSQL address: expected postgres://name:password@host:5432/database',
  )
}

/** The URL as a log or an error may show it: password masked, parameters left out. */
export function databaseName(text: string): string {
  const url = parseDatabaseUrl(text)
  const host = socketDirOf(url) ?? url.host
  const who = url.username === '' ? '' : `${url.username}${url.password === '' ? '' : ':***'}@`
  return `${url.protocol}//${who}${host}${host.startsWith('/') ? ':' : ''}${url.pathname}`
}
