import { Socket } from 'node:net'
import type postgres from 'postgres'
import { corker } from '../corked.ts'

/**
 * The socket of a session. The driver would make one itself, and hand each statement above a kilobyte to the kernel
 * alone, which wakes the server for each: here the statements of one moment leave together. Not so with TLS, which
 * takes the socket over below its buffer.
 *
 * `attempt` counts the driver's attempts to connect, from 0; they go round among the hosts of the address.
 */
export function openSocket(
  { host, port, path }: Pick<postgres.Sql['options'], 'host' | 'port' | 'path'>,
  attempt: number,
): Socket {
  const socket = new Socket()
  const place = attempt % host.length
  // Where the driver looks for whom to name in its errors, and for whose certificate to expect.
  Object.assign(socket, { host: host[place], port: port[place], write: corkedWrite(socket) })
  // The driver listens from its next turn on, and what fails at once must not fail unheard.
  setImmediate(() => {
    if (socket.destroyed) return
    if (path) socket.connect(path)
    else socket.connect({ host: host[place], port: port[place] ?? 5432 })
  })
  return socket
}

function corkedWrite(socket: Socket): (...args: unknown[]) => boolean {
  const { write } = socket
  // Not the next turn: the server would begin on the statements only when all else here is done.
  const cork = corker(socket, process.nextTick)
  return (...args) => {
    cork()
    return Reflect.apply(write, socket, args)
  }
}
