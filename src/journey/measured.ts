import type { Clock } from '../clock.ts'
import type { Batcher } from './batcher.ts'

/** Where a request spends its time, in the order it passes. */
export type Stage = 'open' | 'accept' | 'quote' | 'payment_noticed' | 'work' | 'settle' | 'deliver'

/** Who counts. It hears of what happened and changes nothing; without it nothing is counted. */
export interface Measures {
  /** One stage of one request, milliseconds of our own; waiting for the customer is no stage. */
  stage(stage: Stage, ms: number): void
  /** A reply that was just committed: by it everything is known that a customer is told. */
  told(reply: Record<string, unknown>): void
  lane(name: string, what: 'begun' | 'retried' | 'lost'): void
}

/** Hands replies on that were just committed. */
export function tell<Row extends { reply: Record<string, unknown> }>(
  replies: readonly Row[],
  measures: Measures | undefined,
): readonly Row[] {
  for (const { reply } of replies) measures?.told(reply)
  return replies
}

/** A batcher whose callers' waits are measured as one stage. */
export function timedBatcher<Item, Answer>(
  stage: Stage,
  batcher: Batcher<Item, Answer>,
  { clock, measures }: { clock: Clock; measures?: Measures | undefined },
): Batcher<Item, Answer> {
  if (!measures) return batcher
  return { ...batcher, add: timed(stage, batcher.add, { clock, measures }) }
}

/** Measures what succeeds; what fails is tried again and counted there. */
export function timed<Args extends unknown[], Answer>(
  stage: Stage,
  act: (...args: Args) => Promise<Answer>,
  { clock, measures }: { clock: Clock; measures: Measures },
): (...args: Args) => Promise<Answer> {
  return async (...args) => {
    const began = clock.now()
    const answer = await act(...args)
    measures.stage(stage, clock.now() - began)
    return answer
  }
}
