import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, openSync, readdirSync, readSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type Account, as, bareEnvironment } from './embedded-account.ts'
import { freshName, type Home } from './embedded-home.ts'

/**
 * Who keeps the server running, and who stops it.
 *
 * A guard, a shell that outlives us, is the server's parent. It reads from two pipes and stops the
 * server when both have ended: its standard input, held by the process that started it, and a named
 * pipe in the home, `holders.…`, that every process using the server holds open for writing. The
 * kernel closes both when a process dies in whatever way, so the last one out stops the server, and
 * nobody has to count. Where the guard itself was killed, the next process to look sets another
 * over the running server. That guard is not its parent and cannot wait for it; it looks, and what
 * has no working directory any more is dead, if unreaped.
 */
const GUARD = `
unset GUARD
if cd -- "$1" 2>/dev/null; then data=$1; else data=/proc/$$/cwd; fi
holders=../$2; sockets=$3; server=$4; shift 4
trap '' HUP INT TERM
mkfifo -m 600 "$holders" || exit 1
exec 3<&0 </dev/null
exec 4<>"$holders"
exec 5<"$holders"
exec 4>&-
if [ "$server" = 0 ]; then
  (cd / && exec "$@" -D "$data") >>../server.log 2>&1 3<&- 5<&- &
  server=$!
  started=1
fi
echo "$server"
exec >&- 2>&-
(
  while read -r line; do :; done <&3
  while read -r line; do :; done <&5
  kill -INT "$server"
) &
releaser=$!
exec 3<&- 5<&-
if [ -n "$started" ]; then wait "$server"; else
  while kill -0 "$server" && { [ ! -d /proc/self ] || [ -e "/proc/$server/cwd" ]; }; do
    sleep 0.2
  done
fi
kill -KILL "$releaser"
rmdir "$sockets"
rm -f "$holders"
`

export interface Guard {
  /** The server's process. */
  server: number
  /** Lets go of the guard's standard input. */
  release(): void
  hasEnded(): boolean
}

export interface GuardWish {
  account: Account
  /** Starts a server with this command line, `-D` added; or a running server is watched. */
  server: readonly string[] | number
}

/** Starts a guard and waits until its pipes are open and its server has a process number. */
export async function spawnGuard(home: Home, { account, server }: GuardWish): Promise<Guard> {
  const [watched, command] = typeof server === 'number' ? [server, []] : [0, server]
  const holders = `holders.${freshName()}`
  const args = [home.cluster, holders, home.socketDir, String(watched), ...command]
  const child = spawn('/bin/sh', ['-c', 'eval "$GUARD"', 'tithe-guard', ...args], {
    ...as(account),
    cwd: home.cluster,
    // Not as an argument, so that the process list shows a name and not a program.
    env: { ...bareEnvironment, GUARD },
    // A session of its own: Ctrl-C in the terminal is for the daemon, which then stops the server.
    detached: true,
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  child.unref()
  child.stdin.on('error', () => {})
  const [line] = await Promise.race([
    once(createInterface({ input: child.stdout }), 'line'),
    once(child, 'exit').then(() => ['']),
  ])
  return {
    server: Number(line),
    release: () => void child.stdin.end(),
    hasEnded: () => child.exitCode !== null || child.signalCode !== null,
  }
}

/** Names of the pipes; one without a reader belonged to a guard that was killed. */
const holderPipes = (home: Home): string[] =>
  readdirSync(home.dir)
    .filter((name) => name.startsWith('holders.'))
    .map((name) => join(home.dir, name))

/** Holds the server: descriptors of every guard's pipe, none when no guard lives. */
export function hold(home: Home): number[] {
  return holderPipes(home).flatMap((path) => {
    try {
      return openSync(path, constants.O_WRONLY | constants.O_NONBLOCK)
    } catch {
      rmSync(path, { force: true })
      return []
    }
  })
}

/** Whether a guard lives, ours or another process's. */
export function isGuarded(home: Home): boolean {
  return holderPipes(home).some((path) => {
    try {
      closeSync(openSync(path, constants.O_WRONLY | constants.O_NONBLOCK))
      return true
    } catch {
      return false
    }
  })
}

export function letGo(held: readonly number[]): void {
  for (const descriptor of held) closeSync(descriptor)
}

/** Whether another process holds the server; asked after letting go. */
export function isHeldByOthers(home: Home): boolean {
  return holderPipes(home).some((path) => {
    let descriptor: number | undefined
    try {
      descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
      readSync(descriptor, Buffer.alloc(1))
      return false
    } catch (error) {
      // Nothing to read now, and somebody who might write.
      return error instanceof Error && 'code' in error && error.code === 'EAGAIN'
    } finally {
      if (descriptor !== undefined) closeSync(descriptor)
    }
  })
}
