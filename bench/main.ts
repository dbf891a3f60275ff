interface Bench {
  about: string
  options: string
  load(): Promise<{ run(args: string[]): Promise<void> }>
}

/** What each bench is called on the command line and where it lives. A bench exports `run`. */
const benches: Record<string, Bench> = {
  journey: {
    about: 'whole jobs, from the DM to the result, and where their time goes',
    options: '--seconds N',
    load: () => import('./journey.ts'),
  },
  gate: {
    about: 'decisions of the free-tier gate in a second, beside simpler ways to decide',
    options: '--rounds N --seconds N --parts ratio,processes,bulk,grown --database-url URL',
    load: () => import('./gate.ts'),
  },
  nostr: {
    about: 'one wrap in and one out, DMs to invoices, the resume after a day away',
    options: '--seconds N --parts trip,endToEnd,contextvm,resume',
    load: () => import('./nostr.ts'),
  },
  flood: {
    about: 'customers beside a flood of junk',
    options: '--seconds N',
    load: () => import('./flood.ts'),
  },
  lightning: {
    about: 'requests to LNbits and payment to work, with 10 and with 10,000 open invoices',
    options: '--real --seconds N --payments N',
    load: () => import('./lightning.ts'),
  },
  adversary: {
    about: "attackers' strategies against the rules of the money, more than the test searches",
    options: '--seed N --strategies N',
    load: () => import('./adversary.ts'),
  },
}

const given = process.argv.slice(2)
const [name = 'journey', ...args] = given[0]?.startsWith('-') ? ['journey', ...given] : given
const bench = benches[name]
if (given.some((arg) => arg === '--help' || arg === '-h')) console.log(usage())
else if (bench) await (await bench.load()).run(args)
else {
  console.error(`no bench is called ${name}; there is ${Object.keys(benches).join(', ')}`)
  process.exitCode = 2
}

function usage(): string {
  const lines = Object.entries(benches).map(
    ([known, { about, options }]) => `  ${known.padEnd(10)} ${about}\n${' '.repeat(13)}${options}`,
  )
  return [
    'npm run bench -- NAME [--json] [options]',
    'With --json the last line of stdout is for programs.',
    ...lines.map((line) => line.trimEnd()),
  ].join('\n')
}
