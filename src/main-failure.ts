import { CommandError, type ExitStatus } from './command.ts'
import type { Config } from './config.ts'
import { databaseUnusable } from './ground.ts'
import { isConnectionLoss, sqlState } from './store/database.ts'

/** What went wrong and what to do, in a sentence or two; the stack only for who asks for it. */
export function explainFailure(
  error: unknown,
  { config, isDebug }: { config: Config | undefined; isDebug: boolean },
): { text: string; status: ExitStatus } {
  const status = error instanceof CommandError ? error.status : 1
  const text = wordsFor(error, config)
  return { text: isDebug ? `${text}\n${stackOf(error)}` : text, status }
}

function wordsFor(error: unknown, config: Config | undefined): string {
  if (!(error instanceof Error)) return `tithe failed: ${error}`
  if (error instanceof CommandError) return error.message
  const known =
    config &&
    (portTaken(error, config) ?? keyFileMissing(error, config) ?? dataDirUnusable(error, config))
  if (known) return known
  if (config && (isConnectionLoss(error) || sqlState(error) !== undefined)) {
    return databaseUnusable(config, error)
  }
  // What ends as a sentence was written for people; anything else is a fault to be looked into.
  if (error.message.endsWith('.')) return error.message
  if (error.name !== 'Error' && error.name !== 'TypeError') return `${error.message}.`
  return `${error.message}. LOG_LEVEL=debug shows where.`
}

function keyFileMissing(error: Error, { nostr }: Config): string | undefined {
  if (!('path' in error && 'code' in error) || error.path !== nostr.secretKeyFile) return undefined
  const why = error.code === 'ENOENT' ? 'there is no such file' : String(error.code)
  return `NOSTR_SECRET_KEY_FILE: ${nostr.secretKeyFile} cannot be read, ${why}.`
}

/** The embedded database has words of its own for what it may not open. */
function dataDirUnusable(error: Error, { dataDir }: Config): string | undefined {
  if (!('path' in error && 'code' in error)) return undefined
  if (!String(error.path).startsWith(dataDir)) return undefined
  return `DATA_DIR: ${dataDir} cannot be used (${error.code}). Name a directory that tithe may write to.`
}

/** The setting that moves the port somebody else has. */
function portTaken(error: Error, { sandbox, http }: Config): string | undefined {
  if (!('port' in error && 'code' in error) || error.code !== 'EADDRINUSE') return undefined
  const settings: [port: number, name: string, what: string][] = [
    [sandbox.relayPort, 'SANDBOX_RELAY_PORT', 'the sandbox relay'],
    [sandbox.lnbitsPort, 'SANDBOX_LNBITS_PORT', 'the sandbox LNbits'],
    [http.port, 'HTTP_PORT', 'the status port'],
  ]
  const found = settings.find(([port]) => port === error.port)
  if (!found) return undefined
  const [port, name, what] = found
  return (
    `Port ${port}, meant for ${what}, is in use; perhaps tithe runs already. ` +
    `Set ${name} to a free one, or to 0 for any.`
  )
}

const stackOf = (error: unknown): string => {
  if (!(error instanceof Error)) return ''
  const cause = error.cause === undefined ? '' : `\ncaused by ${stackOf(error.cause)}`
  return `${error.stack ?? error.message}${cause}`
}
