import type { PlantedBug } from '../bug.ts'

/** What is sent: one message a step, the same bytes however often, until somebody has it. */
export const replyBugs: PlantedBug[] = [
  {
    name: 'rewrapped-on-retry',
    why: 'a reply that is wrapped again is another message, and its customer reads it twice',
    file: 'src/journey/deliver.ts',
    find: 'if (stored.events.length > 0) return worked(row, stored)',
    replace: `if (stored.events.length > 0) {
        return { ...stored, events: storedReply(await options.sign(row)).events }
      }`,
    tests: ['test/daemon/kill.test.ts › killed between storing'],
  },
  {
    name: 'refusal-counts-as-ok',
    why: 'a relay that refuses a reply is where its customer would have read it',
    file: 'src/nostr/relay-publishes.ts',
    find: "if (accepted || prefix === 'duplicate')",
    replace: "if (accepted || prefix !== 'auth-required')",
    tests: ['test/unit/nostr/relay-publish.test.ts › is an outcome'],
  },
  {
    name: 'delivered-by-one-part',
    why: 'a long result of which one part arrived is given up on, and was paid for',
    file: 'src/journey/deliver.ts',
    find: 'events.every(has)',
    replace: 'events.some(has)',
    tests: ['test/journey/deliver.test.ts › a reply in two parts'],
  },
  {
    name: 'published-before-stored',
    why: 'a crash between the two signs the reply anew, and the customer has two',
    file: 'src/journey/deliver.ts',
    find: 'await store.add({ outboxId: row.id, ...stored })',
    replace: 'void store.add',
    tests: ['test/journey/deliver.test.ts › a reply is stored before'],
  },
  {
    name: 'signed-with-its-invoice-not-stored',
    why: 'a crash before the invoice is published has its reply signed anew, and the customer has two',
    file: 'src/journey/signed.ts',
    find: 'if (signed.length > 0) tx',
    replace: 'if (signed.length > 99) tx',
    tests: ['test/journey/deliver.test.ts › stored with what it tells'],
  },
  {
    name: 'worked-for-although-a-relay-has-it',
    why: 'a reply that one relay has is sent as another event, and its customer reads it twice',
    file: 'src/journey/pow-wanted.ts',
    find: 'acknowledged || error',
    replace: 'error',
    tests: ['test/unit/journey/pow-wanted.test.ts › stays as it is'],
  },
  {
    name: 'work-by-one-who-lost-the-reply',
    why: 'two replicas publish two events of one reply',
    file: 'src/store/outbox.ts',
    find: `
      and o.epoch = \${row.epoch}
    returning e.part`,
    replace: `
    returning e.part`,
    tests: ['test/journey/deliver.test.ts › a replica that lost'],
  },
  {
    name: 'step-fails-on-its-own-reply',
    why: 'a step that is repeated after a crash fails on its own reply, for ever',
    file: 'src/store/outbox.ts',
    find: 'on conflict (job_id, step) do nothing',
    replace: '',
    tests: ['test/store/rows.test.ts › a step of a job that has its reply'],
  },
  {
    name: 'rumor-dated-by-the-clock',
    why: 'two replicas that wrap one reply make two messages of it',
    file: 'src/journey/envelope.ts',
    find: `kind: 14,
      created_at: row.createdAt`,
    replace: `kind: 14,
      created_at: row.createdAt + row.tries`,
    tests: ['test/journey/deliver.test.ts › a reply that is wrapped twice'],
  },
  {
    name: 'customer-relays-ignored',
    why: 'replies go where the bot reads and not where the customer does',
    file: 'src/journey/envelope.ts',
    find: "dm.state === 'found' && dm.urls.length > 0",
    replace: "dm.state === 'absent' && dm.urls.length > 0",
    tests: ['test/journey/deliver.test.ts › a reply goes where its customer reads'],
  },
  {
    name: 'private-relay-dialled',
    why: 'a customer’s relay list makes the bot knock on doors inside its own network',
    file: 'src/net-guard.ts',
    find: 'if (!addresses.every(isPublicAddress))',
    replace: 'if (!addresses.some(isPublicAddress))',
    tests: ['test/unit/net-guard.test.ts'],
  },
  {
    name: 'callback-rebound',
    why: 'a host that answers another address the second time leads inside',
    file: 'src/lightning/public-get.ts',
    find: 'kept.set(hostname, asked)',
    replace: 'kept.clear()',
    tests: ['test/unit/lightning/lnurl.test.ts › DNS rebinding'],
  },
]
