import { defineConfig } from 'vitest/config'

/** The tests of the pure money rules alone: no database, and nothing that plays whole economies. */
export default defineConfig({
  test: {
    include: ['test/unit/money/*.test.ts', 'test/property/money/*.test.ts'],
    exclude: ['**/adversary.test.ts'],
  },
})
