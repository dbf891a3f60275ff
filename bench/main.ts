/** What each bench is called on the command line and where it lives. A bench exports `run`. */
const benches: Record<string, () => Promise<{ run(args: string[]): Promise<void> }>> = {
  gate: () => import('./gate.ts'),
  flood: () => import('./flood.ts'),
  journey: () => import('./journey.ts'),
  nostr: () => import('./nostr.ts'),
}

const [name = 'journey', ...args] = process.argv.slice(2)
const load = benches[name]
if (load) {
  const bench = await load()
  await bench.run(args)
} else {
  console.error(`no bench is called ${name}; there is ${Object.keys(benches).join(', ')}`)
  process.exitCode = 2
}
