import { expect, test } from 'vitest'
import { realSettings } from '../support/command.ts'
import { freshDatabase } from '../support/database.ts'
import { tithe } from '../support/tithe.ts'

test('the commands of an operator stand in --help', async () => {
  const ran = await tithe(['--help'])
  expect(ran).toMatchObject({ status: 0, stderr: '' })
  for (const word of ['status', 'jobs', 'job', 'customers', 'export', 'init', 'doctor', 'backup']) {
    expect(ran.stdout).toContain(`  ${word} `)
  }
})

test('the commands that look run as a process on a database of their own', async () => {
  await using db = await freshDatabase()
  const env = realSettings(db.url)
  const [status, jobs, customers, books] = await Promise.all([
    tithe(['status'], { env }),
    tithe(['jobs', '--json'], { env }),
    tithe(['customers'], { env }),
    tithe(['export', '--from', '2026-01-01'], { env }),
  ])
  expect(status).toMatchObject({ status: 1, stderr: '' })
  expect(status.stdout).toContain('! nothing runs here: tithe start')
  expect(jobs).toEqual({ status: 0, stdout: '[]\n', stderr: '' })
  expect(customers).toMatchObject({ status: 0, stdout: '0 keys, 0 of them banned.\n' })
  expect(books).toMatchObject({ status: 0, stderr: '0 lines; times are UTC, amounts are sats.\n' })
  expect(await tithe(['job', '5'], { env })).toMatchObject({ status: 1, stdout: '' })
})
