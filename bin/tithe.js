#!/usr/bin/env node
// tithe runs on Node 24 or newer. An older Node starts the one that was installed beside tithe.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
// A package holds a build, because Node strips no types inside node_modules; a clone runs as written.
const main = [join(root, 'dist/main.js'), join(root, 'src/main.ts')].find((path) => existsSync(path))

function installedNode() {
  try {
    return join(dirname(createRequire(import.meta.url).resolve('node/package.json')), 'bin/node')
  } catch {
    return undefined
  }
}

if (Number(process.versions.node.split('.')[0]) >= 24) await import(pathToFileURL(main))
else {
  const node = installedNode()
  if (node === undefined || !existsSync(node)) {
    console.error(`tithe needs Node 24 or newer, and this is ${process.version}: install that, or`)
    console.error('run npm install here again with install scripts allowed for the package node.')
    process.exit(2)
  }
  const child = spawn(node, [main, ...process.argv.slice(2)], { stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('exit', (status) => process.exit(status ?? 1))
}
