import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** What the tests end with, in the words of their reporters. */
export const SUMMARY = [
  ' Test Files  2 passed (2)',
  '      Tests  7 passed (7)',
  '',
  '7 passed, 0 failed',
]

const NPM = `#!/usr/bin/env bash
echo "$*" >> "$ASKED"
if [ "$1" = cit ]; then
  printf '%s\\n' 'added 7 packages' '' ${SUMMARY.map((line) => `'${line}'`).join(' ')}
fi
if [ "$1" = run ] && [ "$3" = simulate ]; then echo '5000 worlds in 140 s'; fi
case " $FAILS " in *" $1 "* | *" \${3:-nothing} "*) exit 1 ;; esac
`

export interface Ran {
  status: number | null
  lines: string[]
  asked: string[]
}

/**
 * Runs the gate in a directory of its own, with an npm that says what it was asked and fails at what `fails`
 * names.
 */
export function runGate({
  fails = '',
  installed = true,
}: {
  fails?: string
  installed?: boolean
} = {}): Ran {
  const dir = mkdtempSync(join(tmpdir(), 'tithe-gate-'))
  try {
    const at = (...path: string[]) => join(dir, ...path)
    for (const made of ['.ci', 'bin', 'node_modules/.bin']) mkdirSync(at(made), { recursive: true })
    copyFileSync(join(import.meta.dirname, '../../.ci/run'), at('.ci/run'))
    const scripts = [['bin/npm', NPM] as const, ['node_modules/.bin/biome', ''] as const]
    for (const [path, text] of installed ? scripts : scripts.slice(0, 1)) {
      writeFileSync(at(path), text)
      chmodSync(at(path), 0o755)
    }
    const asked = at('asked')
    const { status, stdout } = spawnSync('bash', [at('.ci/run')], {
      env: {
        ...{ PATH: `${at('bin')}:${process.env.PATH}`, HOME: dir, TMPDIR: dir },
        ...{ ASKED: asked, FAILS: fails },
      },
      encoding: 'utf8',
    })
    return {
      status,
      lines: stdout.trimEnd().split('\n'),
      asked: readFileSync(asked, 'utf8').trim().split('\n'),
    }
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}
