import type { Clock } from '../clock.ts'
import { RELAY_BUDGET_BURST, RELAY_BUDGET_PER_SECOND } from '../limits.ts'
import { createBudget } from './budget.ts'

/** What a relay costs us, over all its connections. */
export interface Meter {
  /** Takes from the relay's budget and cuts the connection when that is used up. */
  spend(units: number): void
  /** An AUTH challenge came. The same one again costs nothing: some relays repeat it at every refusal. */
  challenge(text: string): void
  /** The relay said something of use, so its connections are worth making again soon. */
  useful(): void
  /** Where `spend` and `useful` go: the present connection. */
  attach(session: { trip(): void; useful(): void }): void
}

/** Distinct AUTH challenges at once and per second; honest relays send one per connection. */
const CHALLENGES = { burst: 20, perSecond: 1 }

export function createMeter(clock: Clock): Meter {
  const budget = createBudget({
    perSecond: RELAY_BUDGET_PER_SECOND,
    burst: RELAY_BUDGET_BURST,
    clock,
  })
  const challenges = createBudget({ ...CHALLENGES, clock })
  let lastChallenge = ''
  let current = { trip() {}, useful() {} }
  return {
    spend(units) {
      if (!budget.spend(units)) current.trip()
    },
    challenge(text) {
      if (text === lastChallenge) return
      lastChallenge = text
      if (!challenges.spend(1)) current.trip()
    },
    useful: () => current.useful(),
    attach(session) {
      current = session
    },
  }
}
