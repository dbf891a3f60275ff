import { createRequire } from 'node:module'
import { type AddressInfo, Server } from 'node:net'

/*
 * Runs the npm package `relays` until its standard input ends. The package chooses its own address, all
 * interfaces, so `listen` is given ours: loopback and any free port.
 */

const listen = Server.prototype.listen
Server.prototype.listen = function (this: Server) {
  const server: Server = Reflect.apply(listen, this, [0, '127.0.0.1'])
  server.once('listening', () => {
    const { port } = server.address() as AddressInfo
    process.stdout.write(`ws://127.0.0.1:${port}\n`)
  })
  return server
}

const { createServer } = createRequire(import.meta.url)('relays/server.js')
createServer({ log: false, skipGun: true, nostr: { disableSignature: true } })
process.stdin.on('end', () => process.exit())
process.stdin.resume()
