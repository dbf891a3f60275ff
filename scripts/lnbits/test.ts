import { spawnSync } from 'node:child_process'
import { CannotInstall, installLnbits } from './install.ts'

/**
 * `npm run test:lnbits`: installs a real LNbits where that is possible and runs the contract suites
 * against it. Exit status 69 and a sentence where it is not; with `--where-possible` status 0.
 */
const UNAVAILABLE = 69

async function main(): Promise<number> {
  const say = (line: string) => process.stderr.write(`test:lnbits: ${line}\n`)
  const given = process.argv.slice(2)
  try {
    const home = await installLnbits(say)
    const args = ['run', 'test/contract', ...given.filter((arg) => arg !== '--where-possible')]
    const { status } = spawnSync('vitest', args, {
      stdio: 'inherit',
      env: { ...process.env, TEST_LNBITS_HOME: home },
    })
    return status ?? 1
  } catch (error) {
    if (!(error instanceof CannotInstall)) throw error
    say(`a real LNbits cannot run here: ${error.message}`)
    say('nothing was tested; `npm test` holds the play-money LNbits to the same suite')
    return given.includes('--where-possible') ? 0 : UNAVAILABLE
  }
}

process.exitCode = await main()
