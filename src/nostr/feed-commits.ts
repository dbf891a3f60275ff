/**
 * Which events of one line are committed, in the order they came. With traffic that never pauses
 * something is always in progress, so an instant is reached once everything that had come by then is
 * committed, not when nothing is left.
 */
export interface Commits {
  /** Resolves true when committed; an event that never is keeps every later instant from being reached. */
  track(committed: Promise<boolean>): void
  readonly uncommitted: number
  /** Tells `at`, the present instant, and gets the latest told one that is reached, if any. */
  reached(at: number): number | undefined
  /** What was told counts no longer: the line was interrupted. */
  forget(): void
}

export function createCommits(): Commits {
  /** Numbers by arrival; a Set keeps that order. */
  const open = new Set<number>()
  let next = 0
  let mark: { before: number; at: number } | undefined
  return {
    track(committed) {
      const number = next
      next += 1
      open.add(number)
      void committed.then((done) => {
        if (done) open.delete(number)
      })
    },
    get uncommitted() {
      return open.size
    },
    reached(at) {
      const oldest = open.values().next().value
      if (oldest === undefined) {
        mark = undefined
        return at
      }
      const passed = mark !== undefined && oldest >= mark.before ? mark.at : undefined
      if (mark === undefined || passed !== undefined) mark = { before: next, at }
      return passed
    },
    forget() {
      mark = undefined
    },
  }
}
