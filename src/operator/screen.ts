import { npub } from '../nostr/identity.ts'

/** A duration as people say it: `12 s`, `3 min`, `5 h`, `2 d`. Negative ones read as 0. */
export function ago(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds))
  if (whole < 120) return `${whole} s`
  if (whole < 7_200) return `${Math.floor(whole / 60)} min`
  if (whole < 172_800) return `${Math.floor(whole / 3_600)} h`
  return `${Math.floor(whole / 86_400)} d`
}

/** Host and port of a relay: a path may hold an access token of the operator's. */
export const hostOf = (relay: string): string => URL.parse(relay)?.host ?? 'unknown'

/** Unix milliseconds as `2026-11-22 14:32:05.123`, in UTC. */
export const instantMs = (ms: number): string =>
  new Date(ms).toISOString().slice(0, 23).replace('T', ' ')

/** Unix seconds as `2026-11-22 14:32:05`, in UTC. */
export const instant = (seconds: number): string => instantMs(seconds * 1000).slice(0, 19)

/** A key short enough for a column, and long enough to tell regulars apart. */
export const shortKey = (pubkey: string): string => {
  const name = npub(pubkey)
  return `${name.slice(0, 11)}…${name.slice(-4)}`
}

/** Columns as wide as their widest cell; numbers to the right. */
export function table(rows: readonly (readonly (string | number)[])[]): string[] {
  const widths: number[] = []
  for (const row of rows) {
    for (const [place, cell] of row.entries()) {
      widths[place] = Math.max(widths[place] ?? 0, [...String(cell)].length)
    }
  }
  return rows.map((row) =>
    row
      .map((cell, place) => {
        const width = widths[place] ?? 0
        return typeof cell === 'number' ? String(cell).padStart(width) : String(cell).padEnd(width)
      })
      .join('  ')
      .trimEnd(),
  )
}
