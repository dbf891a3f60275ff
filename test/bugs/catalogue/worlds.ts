import type { PlantedBug } from '../bug.ts'

const WORLDS = 'test/simulator/simulator.test.ts › in every world'

/** What goes wrong only when something else goes wrong at the right moment: simulated worlds find the moment. */
export const worldBugs: PlantedBug[] = [
  {
    name: 'paid-work-lives-in-memory',
    why: 'a process that dies between the payment and the result takes the job with it',
    file: 'src/store/jobs.ts',
    find: `held_sats = \${paid.paidSats + paid.reservedSats},
      due_at = now() + make_interval(secs => \${lease.seconds}),`,
    replace: `held_sats = \${paid.paidSats + paid.reservedSats},
      due_at = null,`,
    tests: [WORLDS],
  },
  {
    name: 'reply-lives-in-memory',
    why: 'an answer whose process dies, or whose relays are away for a moment, is never sent',
    file: 'src/store/outbox.ts',
    find: `now() + make_interval(secs => \${lease.seconds}), \${lease.holder}, 1, 1`,
    replace: `null, \${lease.holder}, 1, 1`,
    tests: [WORLDS],
  },
  {
    name: 'part-paid-job-never-ends',
    why: 'LNbits is asked about it twice a minute for ever, and its discount is kept from others',
    file: 'src/journey/expiry.ts',
    find: "if (seen.state === 'paid') await paid(",
    replace: "if (seen.state === 'paid') return paid(",
    tests: ['test/simulator/peers-money.test.ts › a payment in part buys nothing'],
  },
  {
    name: 'lull-keeps-the-line',
    why: 'the first customer of the morning is told that there is too much to do',
    file: 'src/journey/invoice-line.ts',
    find: 'if (calls > 0 || clock.now()',
    replace: 'if (calls >= 0 || clock.now()',
    tests: [
      'test/unit/journey/invoice-line.test.ts › who was counted twice',
      'test/simulator/peers-pool.test.ts › promises that nobody pays',
    ],
  },
]
