/** Files that may break a rule, each with its reason. One that does not need it fails the test. */
export const exceptions: [title: string, path: string, reason: string][] = [
  [
    'only the clock tells the time and makes pauses',
    'src/store/connection.ts',
    'a silent database socket is cut off by an I/O time-out of its own',
  ],
  [
    'only the clock tells the time and makes pauses',
    'src/store/connections.ts',
    'closing connections is bounded by an I/O time-out',
  ],
  [
    'only the clock tells the time and makes pauses',
    'src/sandbox/lnbits-listeners.ts',
    'announces a payment twice, a moment apart, as LNbits does',
  ],
  [
    'SQL is a tagged template outside migrations',
    'src/store/transaction.ts',
    'begin, commit and rollback are constants',
  ],
  [
    'SQL is a tagged template outside migrations',
    'src/store/statements.ts',
    'binds the statements of the driver, this one among them, to a connection',
  ],
  [
    'SQL is a tagged template outside migrations',
    'src/store/embedded-server.ts',
    'create database takes no parameters, and the name is a constant',
  ],
  [
    'SQL is a tagged template outside migrations',
    'src/store/listen.ts',
    'listen takes no parameters',
  ],
  [
    'only the clock tells the time and makes pauses',
    'src/backends/chat-faults.ts',
    'a silent or endless answer is aborted by I/O time-outs',
  ],
  [
    'only the clock tells the time and makes pauses',
    'src/backends/confined.ts',
    'a program that outlives its time is killed',
  ],
  [
    'numbers of money and time end in their unit',
    'src/lightning/lnbits.ts',
    'a price in the currency that was asked for',
  ],
  [
    'numbers of money and time end in their unit',
    'src/nostr/relay-counters.ts',
    'counts of outcomes, one of them called timeout',
  ],
  [
    'numbers of money and time end in their unit',
    'src/store/database.ts',
    'the option of the driver, in seconds',
  ],
  [
    'only config.ts and main.ts read the environment',
    'test/unit/backends/command.test.ts',
    'plants secrets that a program must not inherit',
  ],
  [
    'no file is longer than 500 lines',
    'test/contract/lnbits.ts',
    'one suite for two subjects; its parts are to become files',
  ],
  ['exports have names', 'test/support/plain-reporter.ts', 'vitest takes a default export'],
  ['exports have names', 'test/mutation/vitest.config.ts', 'vitest takes a default export'],
]
