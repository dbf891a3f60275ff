import type { Clock } from '../clock.ts'

/** How the play-money node treats a payment that leaves LNbits, as the drivers of real nodes do. */
export type NodeBehaviour =
  /** Paid at once. */
  | { kind: 'ok'; feeMsat?: number }
  /** Paid after `ms`; LNbits answers `pending` when that is longer than it waits. */
  | { kind: 'slow'; ms: number; feeMsat?: number }
  /** A payee holds it; it stays pending until `finish`, and that end is announced to nobody. */
  | { kind: 'inflight' }
  /** A clear no, confirmed whenever somebody asks again. */
  | { kind: 'noRoute' }
  /** Says "failed" although it pays: what LNbits before 1.6 made of every unclear answer. */
  | { kind: 'unknownPaid'; feeMsat?: number }
  /** Says "failed" and never knows what became of it. */
  | { kind: 'unknownPending' }
  /** LNbits dies in the midst of it; the row is there and holds the money. */
  | { kind: 'crash' }

export type NodeAnswer =
  | { state: 'success'; feeMsat: number }
  | { state: 'failed' }
  | { state: 'unknown' }
  | { state: 'crash' }

export interface PlayNode {
  /** How every payment ends that has no behaviour of its own. */
  behaviour: NodeBehaviour
  /** How the payment of this hash ends. */
  script(paymentHash: string, behaviour: NodeBehaviour): void
  /** Pays, or waits at most `waitMs`. */
  pay(paymentHash: string, waitMs: number, signal: AbortSignal): Promise<NodeAnswer>
  /** What became of a payment. */
  outgoing(paymentHash: string): NodeAnswer
  /** Ends a payment that is in flight. */
  finish(paymentHash: string, answer: NodeAnswer): void
  /** Money has arrived at the node for this invoice. */
  receive(paymentHash: string): void
  received(paymentHash: string): boolean
  /** Payments the node has really made, by hash: the outside truth of every payout. */
  paid(): Map<string, number>
  /** While the node is down it answers nothing, and LNbits cannot tell. */
  down: boolean
}

const UNKNOWN: NodeAnswer = { state: 'unknown' }

export function createPlayNode(clock: Clock): PlayNode {
  const scripts = new Map<string, NodeBehaviour>()
  const known = new Map<string, { answer: NodeAnswer; from: number }>()
  const incoming = new Set<string>()
  const paid = new Map<string, number>()

  const end = (paymentHash: string, answer: NodeAnswer, from = clock.now()) => {
    known.set(paymentHash, { answer, from })
    if (answer.state === 'success') paid.set(paymentHash, (paid.get(paymentHash) ?? 0) + 1)
  }

  const node: PlayNode = {
    behaviour: { kind: 'ok' },
    down: false,
    script: (paymentHash, behaviour) => scripts.set(paymentHash, behaviour),
    async pay(paymentHash, waitMs, signal) {
      if (node.down) return UNKNOWN
      const behaviour = scripts.get(paymentHash) ?? node.behaviour
      const feeMsat = 'feeMsat' in behaviour ? (behaviour.feeMsat ?? 0) : 0
      switch (behaviour.kind) {
        case 'ok':
          end(paymentHash, { state: 'success', feeMsat })
          return { state: 'success', feeMsat }
        case 'slow': {
          end(paymentHash, { state: 'success', feeMsat }, clock.now() + behaviour.ms)
          await clock.sleep(Math.min(behaviour.ms, waitMs), signal)
          return node.outgoing(paymentHash)
        }
        case 'inflight':
          await clock.sleep(waitMs, signal)
          return node.outgoing(paymentHash)
        case 'noRoute':
          end(paymentHash, { state: 'failed' })
          return { state: 'failed' }
        case 'unknownPaid':
          end(paymentHash, { state: 'success', feeMsat })
          return { state: 'failed' }
        case 'unknownPending':
          return { state: 'failed' }
        case 'crash':
          return { state: 'crash' }
      }
    },
    outgoing(paymentHash) {
      const entry = known.get(paymentHash)
      return node.down || !entry || entry.from > clock.now() ? UNKNOWN : entry.answer
    },
    finish: (paymentHash, answer) => end(paymentHash, answer),
    receive: (paymentHash) => incoming.add(paymentHash),
    received: (paymentHash) => !node.down && incoming.has(paymentHash),
    paid: () => new Map(paid),
  }
  return node
}
