/** Relays that `npm run test:relays` has started: their URLs by name. They stop with whoever started them. */
export function moreRelays(): Record<string, () => Promise<{ url: string } & AsyncDisposable>> {
  const named: Record<string, string> = JSON.parse(process.env.TEST_RELAYS ?? '{}')
  return Object.fromEntries(
    Object.entries(named).map(([name, url]) => [
      name,
      async () => ({ url, async [Symbol.asyncDispose]() {} }),
    ]),
  )
}
