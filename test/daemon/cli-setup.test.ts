import { expect, test } from 'vitest'
import { realSettings } from '../support/command.ts'
import { freshDatabase } from '../support/database.ts'
import { scratchDir, tithe } from '../support/tithe.ts'

test('init without anybody at the keyboard says what to do instead', async () => {
  using scratch = scratchDir()
  const ran = await tithe(['init'], { cwd: scratch.path })
  expect(ran).toMatchObject({ status: 2, stdout: '' })
  expect(ran.stderr).toContain('Copy .env.example to .env instead.')
})

test('a doctor whose world is gone fails with status 1 and a remedy for each line', async () => {
  await using db = await freshDatabase()
  const ran = await tithe(['doctor'], { env: realSettings(db.url) })
  expect(ran).toMatchObject({ status: 1, stderr: '' })
  expect(ran.stdout).toMatch(/^ok {4}settings: Timmy is npub1\w+\nfail {2}relay 127\.0\.0\.1:9: /)
  expect(ran.stdout).toContain('\n      Check LNBITS_URL and that LNbits runs')
  expect(ran.stdout).toMatch(/\n\d of \d+ checks failed\.\n$/)
})
