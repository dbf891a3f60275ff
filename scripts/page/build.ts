import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'vite'

/**
 * `npm run page`: bundles what the status page verifies signatures with from node_modules into one file, which
 * is committed, so that the page itself needs no build and no other host.
 */
const root = join(import.meta.dirname, '../..')
export const BUNDLE = join(root, 'src/operator/page/signatures.js')

const versionOf = (name: string): string =>
  JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8')).version

/** The text of the bundle, the same for the same packages. */
export async function bundle(): Promise<string> {
  const built = await build({
    configFile: false,
    logLevel: 'silent',
    root,
    build: {
      write: false,
      minify: true,
      target: 'es2022',
      lib: { entry: join(import.meta.dirname, 'signatures.ts'), formats: ['es'], fileName: 'x' },
    },
  })
  const [output] = Array.isArray(built) ? built : [built]
  const chunk = output && 'output' in output ? output.output[0] : undefined
  if (!chunk || !('code' in chunk)) throw new Error('vite made no chunk')
  const names = ['@noble/curves', '@noble/hashes'].map((name) => `${name} ${versionOf(name)}`)
  const head = `/*! Made by \`npm run page\` from ${names.join(' and ')}, MIT License, (c) Paul Miller */`
  return `${head}\n// @ts-nocheck\n${chunk.code.trim()}\n`
}

if (process.argv[1] === import.meta.filename) writeFileSync(BUNDLE, await bundle())
