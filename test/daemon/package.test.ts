import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { buildPackage } from '../../scripts/package/build.ts'
import { scratchDir, tithe } from '../support/tithe.ts'

const ROOT = join(import.meta.dirname, '../..')

test('what npm packs runs the demo from inside node_modules, where Node strips no types', async () => {
  using scratch = scratchDir()
  const home = join(scratch.path, 'node_modules')
  const own = join(home, 'tithe')
  mkdirSync(own, { recursive: true })
  for (const name of readdirSync(join(ROOT, 'node_modules'))) {
    if (!name.startsWith('.')) symlinkSync(join(ROOT, 'node_modules', name), join(home, name))
  }
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  const packed: string[] = manifest.files
  expect(packed).toEqual(expect.arrayContaining(['bin', 'dist', 'migrations']))
  for (const name of ['bin', 'migrations', 'package.json']) {
    cpSync(join(ROOT, name), join(own, name), { recursive: true })
  }
  buildPackage(join(own, 'dist'))
  const options = { main: join(own, manifest.bin.tithe), cwd: scratch.path }
  expect((await tithe(['--version'], options)).stdout.trim()).toBe(manifest.version)
  const demo = await tithe(['demo', '--json'], options)
  expect(demo).toMatchObject({ status: 0, stderr: '' })
  expect(JSON.parse(demo.stdout.trim().split('\n').at(-1) ?? '')).toMatchObject({ done: true })
  expect(readdirSync(join(own, 'dist/operator/page'))).toContain('index.html')
}, 120_000)
