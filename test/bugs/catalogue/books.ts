import type { PlantedBug } from '../bug.ts'

/** That the books say what happened, and that nobody can make them say something else. */
export const booksBugs: PlantedBug[] = [
  {
    name: 'seal-not-chained',
    why: 'who changes a row and makes its seal anew is not found by the seals after it',
    file: 'src/store/seals.ts',
    find: 'add(hash, previous)',
    replace: "add(hash, previous === '' ? '' : 'seal')",
    tests: ['test/store/seals.test.ts › a seal that was made anew'],
  },
  {
    name: 'seal-before-the-writer',
    why: 'a row that was being written when the seal was made is covered by none',
    file: 'src/store/seals.ts',
    find: `await lockPool(tx)
    return readHead(tx)`,
    replace: 'return readHead(tx)',
    tests: ['test/journey/pool-lock.test.ts'],
  },
  {
    name: 'transfer-to-nobody',
    why: 'sats that are moved to an account without a row are held by nobody',
    file: 'src/store/ledger.ts',
    find: 'if (count === homes.length) return',
    replace: 'if (count >= 0) return',
    tests: ['test/store/rows.test.ts › a transfer to an account'],
  },
  {
    name: 'ignored-failure-committed',
    why: 'what the server rolled back counts as booked',
    file: 'src/store/transaction.ts',
    find: "if (command === 'COMMIT') return answer",
    replace: 'if (command) return answer',
    tests: ['test/store/database-transaction.test.ts › a body that ignores'],
  },
  {
    name: 'pool-seeded-at-every-boot',
    why: 'each daemon that starts gives the pool ten thousand sats of the operator’s',
    file: 'src/store/pool.ts',
    find: 'if (seeded.length === 0) return false',
    replace: 'if (seeded.length < 0) return false',
    tests: ['test/journey/rules-credit.test.ts › ten daemons'],
  },
  {
    name: 'newer-database-used',
    why: 'an old version writes rows that the new one no longer understands',
    file: 'src/store/migrate.ts',
    find: 'newest && newest.version > migrations.length',
    replace:
      'newest && newest.version > migrations.length) return\n  if (newest && newest.version < 0',
    tests: ['test/store/migrate.test.ts › a database newer than the code'],
  },
  {
    name: 'drift-unseen',
    why: 'sats that leave LNbits without a withdrawal go on leaving',
    file: 'src/operator/solvency.ts',
    find: 'stopped: driftSats !== 0, driftSats',
    replace: 'stopped: Math.abs(driftSats) > 1, driftSats',
    tests: ['test/journey/solvency.test.ts › one stolen sat'],
  },
  {
    name: 'backend-inherits-secrets',
    why: 'a command that is asked for its environment prints the keys of the bot',
    file: 'src/backends/confined.ts',
    find: 'env: { ...run.env }',
    replace: 'env: { ...process.env, ...run.env }',
    tests: ['test/unit/backends/command.test.ts › is no environment at all'],
  },
  {
    name: 'key-compared-by-prefix',
    why: 'who makes a key that begins like another reads and cancels the jobs of that one',
    file: 'src/store/jobs.ts',
    find: `::text is null or customer = \${customer ?? null})`,
    replace: `::text is null or left(customer, 8) = left(\${customer ?? null}, 8))`,
    tests: ['test/store/rows.test.ts › a job is its customer'],
  },
]
