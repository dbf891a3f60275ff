import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    // Limits below are for hangs only; nothing asserts speed here.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Real processes and sockets share the machine with whatever else runs there, and a machine that stalls for
    // seconds fails what waits for them. What is wrong fails twice.
    retry: 1,
    maxWorkers: 2,
    reporters: ['default', './test/support/plain-reporter.ts'],
  },
})
