import type { DatabaseTarget } from '../../src/store/database.ts'

/** A target as one URL, for a DATABASE_URL. */
export function urlOf({ url, socketDir, port, database, username }: DatabaseTarget): string {
  const made = new URL(url ?? 'postgres://localhost')
  if (database !== undefined) made.pathname = `/${database}`
  if (socketDir === undefined) return made.href
  made.username = username ?? ''
  made.searchParams.set('host', socketDir)
  if (port !== undefined) made.searchParams.set('port', String(port))
  return made.href
}
