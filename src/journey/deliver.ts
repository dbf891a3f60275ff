import { type Clock, unixSeconds } from '../clock.ts'
import { failpoint } from '../failpoint.ts'
import { OUTBOX_BATCH, OUTBOX_REST_MS, OUTBOX_RETRY_MAX_SECONDS, POW_BITS } from '../limits.ts'
import type { Log } from '../log.ts'
import type { PublishOutcome } from '../nostr/relay.ts'
import { constraintOf, inTransaction, isConnectionLoss, type Sql } from '../store/database.ts'
import { outboxLane } from '../store/lanes.ts'
import {
  type OutboxEnd,
  type OutboxRow,
  type Publication,
  type PublicationResult,
  readEvents,
  replaceEvents,
  type StoredEvent,
  type StoredReply,
  settlePublications,
  storeEvents,
} from '../store/outbox.ts'
import { createBatcher } from './batcher.ts'
import { createJobOrder } from './job-order.ts'
import { LeaseLost } from './lane.ts'
import { type SignedReply, storedReply } from './signed.ts'
import { askedBits, wantedPow } from './pow-wanted.ts'
import { createPowBudget } from './pow-budget.ts'

export interface DeliverOptions {
  sql: Sql
  /**
   * Signs and wraps a reply and finds its customer's relays, with proof of work of so many bits. Throws when the relays
   * cannot be looked up.
   */
  sign(row: OutboxRow, powBits?: number): Promise<SignedReply>
  publish(
    event: { id: string; json: string },
    relays: string[],
  ): Promise<Map<string, PublishOutcome>>
  clock: Clock
  log: Log
  /** Wakes the outbox lane, which must hear of tries that this process scheduled. */
  wake(): void
  delivered(event: { outcome: 'delivered' | 'unconfirmed' | 'given_up'; seconds: number }): void
}

/**
 * The step of the outbox. A reply is signed and wrapped once and stored byte for byte before anything is
 * published; every try, however late and by whichever replica, publishes the same events again, so a retry is
 * never a second message. One OK for every part makes it delivered; the other relays are tried on until they
 * give a final answer or the reply is given up.
 */
export function createDeliver(options: DeliverOptions) {
  const { sql, clock, log } = options
  const ready = createReady(options)
  const settle = createSettling(options)
  const order = createJobOrder(clock)

  return async function deliver(row: OutboxRow): Promise<void> {
    const { jobId } = row
    if (jobId === null) return settleOne(row, await publishOne(row))
    // Another replica may hold the reply before this one, or have died with it.
    if (row.isBehind && !order.knows(jobId)) {
      const pause = { afterMs: BEHIND_MS, error: null, progress: true }
      await outboxLane.retry(sql, row, pause)
      return options.wake()
    }
    // The next reply of the job may go out once this one has, before that is written down.
    return settleOne(row, await order.run(jobId, () => publishOne(row)))
  }

  async function publishOne(row: OutboxRow): Promise<Outcome> {
    const { events, publications, waits } = await ready(row)
    const open =
      row.givenUp || waits
        ? []
        : publications.filter(({ acknowledged, refused }) => !acknowledged && !refused)
    const results = (await Promise.all(events.map((event) => publishPart(row, event, open)))).flat()
    await failpoint('deliver:published')
    return { results, end: endOf(row, events, publications, results) }
  }

  async function settleOne(row: OutboxRow, outcome: Outcome): Promise<void> {
    await settle.add(outcome)
    await failpoint('deliver:committed')
    const { againSeconds, delivered } = outcome.end
    options.delivered({
      outcome: delivered ? 'delivered' : againSeconds === null ? 'given_up' : 'unconfirmed',
      seconds: ageSeconds(row),
    })
    if (againSeconds !== null) options.wake()
  }

  function ageSeconds({ createdAt }: OutboxRow): number {
    return unixSeconds(clock) - createdAt
  }

  async function publishPart(
    row: OutboxRow,
    { part, eventId, eventJson }: StoredEvent,
    open: readonly Publication[],
  ): Promise<PublicationResult[]> {
    const relays = open.filter((publication) => publication.part === part).map((p) => p.relay)
    if (relays.length === 0) return []
    const answers = await options.publish({ id: eventId, json: eventJson }, relays)
    return relays.map((relay) => {
      const answer = answers.get(relay) ?? { outcome: 'unreachable' }
      log.debug({ outboxId: row.id, relay, outcome: answer.outcome }, 'published')
      return {
        outboxId: row.id,
        part,
        relay,
        acknowledged: answer.outcome === 'acknowledged',
        refused: isFinal(answer),
        error: answer.outcome === 'acknowledged' ? null : describe(answer),
      }
    })
  }
}

interface Ready extends StoredReply {
  /** It is to be sent with work that cannot be done now. */
  waits?: boolean
}

/** What is stored for a reply, after making and storing it if nothing is. */
function createReady(options: DeliverOptions) {
  const { sql, clock } = options
  const store = createStoring(sql)
  const budget = createPowBudget(clock)

  return async function ready(row: OutboxRow): Promise<Ready> {
    if (row.stored) return row.stored
    // Not by its tries: what was given back before it was sent has none.
    if (row.epoch > 1) {
      const stored = await readEvents(sql, row.id)
      if (stored.events.length > 0) return worked(row, stored)
    }
    const stored = storedReply(await options.sign(row))
    await failpoint('deliver:signed')
    try {
      await store.add({ outboxId: row.id, ...stored })
    } catch (error) {
      if (!STORED.has(constraintOf(error) ?? '')) throw error
      // Another replica was faster: what it stored is what is published.
      return readEvents(sql, row.id)
    }
    await failpoint('deliver:stored')
    return stored
  }

  /** A relay that wants proof of work, and nobody else has the reply: it is made once more, with the work. */
  async function worked(row: OutboxRow, stored: StoredReply): Promise<Ready> {
    const bits = row.givenUp ? 0 : wantedPow(stored)
    if (bits === 0) return stored
    const signed = await budget.spend(() => options.sign(row, bits))
    // Sent as it is meanwhile, it would be there twice if a crash took away who has it.
    if (signed === undefined) return { ...stored, waits: true }
    const { events } = storedReply(signed)
    if (events.length !== stored.events.length) return stored
    await failpoint('deliver:signed')
    if (!(await replaceEvents(sql, row, events))) throw new LeaseLost()
    await failpoint('deliver:stored')
    return { ...stored, events }
  }
}

/** Where a second writer fails: at the relays when they are the same, else at the events. */
const STORED = new Set(['outbox_publications_pk', 'outbox_events_pk'])

/** What relays said of a reply, and what follows from it. */
interface Outcome {
  results: PublicationResult[]
  end: OutboxEnd
}

/** How often a reply looks whether the one before it has arrived. */
const BEHIND_MS = 200

/** Answers that no later try can change; `rate-limited` and what says nothing may pass. */
const FINAL = new Set(['restricted', 'blocked', 'invalid', 'mute'])

const isFinal = (answer: PublishOutcome): boolean =>
  answer.outcome === 'refused' &&
  (FINAL.has(answer.prefix ?? '') || askedBits(describe(answer)) > POW_BITS)

const describe = ({ outcome, prefix, message }: PublishOutcome): string =>
  [outcome, prefix, message]
    .filter((word) => word !== undefined && word !== '')
    .join(': ')
    .slice(0, 200)

/** Whether the reply has arrived, and when to try again what has not. */
function endOf(
  row: OutboxRow,
  events: readonly StoredEvent[],
  publications: readonly Publication[],
  results: readonly PublicationResult[],
): OutboxEnd {
  const states = publications.map((publication) => {
    const now = results.find((r) => r.part === publication.part && r.relay === publication.relay)
    return {
      part: publication.part,
      acknowledged: publication.acknowledged || now?.acknowledged === true,
      refused: publication.refused || now?.refused === true,
    }
  })
  const has = ({ part }: StoredEvent) =>
    states.some((state) => state.part === part && state.acknowledged)
  const delivered = row.delivered || (events.length > 0 && events.every(has))
  const left = states.some((state) => !state.acknowledged && !state.refused)
  const failures = results.flatMap(({ error }) => (error === null ? [] : [error]))
  return {
    id: row.id,
    epoch: row.epoch,
    delivered,
    againSeconds: left && !row.givenUp ? pauseSeconds(row.tries, delivered) : null,
    error: failures[0] ?? null,
  }
}

/** Soon at first, because a relay that restarts is back within seconds; a copy that only adds safety may wait. */
function pauseSeconds(tries: number, delivered: boolean): number {
  const first = delivered ? 30 : 1
  return Math.min(OUTBOX_RETRY_MAX_SECONDS, first * 2 ** Math.min(tries - 1, 20))
}

function createStoring(sql: Sql) {
  return createBatcher<{ outboxId: number } & StoredReply, void>({
    batchMax: OUTBOX_BATCH,
    async write(signed) {
      await inTransaction(sql, async (tx) => tx.endWith(storeEvents(tx, signed)))
      return signed.map(() => undefined)
    },
    isOutage: isConnectionLoss,
  })
}

function createSettling({ sql, clock }: DeliverOptions) {
  return createBatcher<Outcome, void>({
    batchMax: OUTBOX_BATCH,
    async write(outcomes) {
      await inTransaction(sql, async (tx) => {
        await settlePublications(
          tx,
          outcomes.flatMap(({ results }) => results),
          outcomes.map(({ end }) => end),
        )
        await failpoint('deliver:before-commit')
      })
      return outcomes.map(() => undefined)
    },
    isOutage: isConnectionLoss,
    // The reply is out, and no customer waits for what relays said of it to be written.
    rest: () => clock.sleep(OUTBOX_REST_MS),
  })
}
