import type { PlantedBug } from './bug.ts'
import { booksBugs } from './catalogue/books.ts'
import { gateBugs } from './catalogue/gate.ts'
import { laneBugs } from './catalogue/lane.ts'
import { messageBugs } from './catalogue/message.ts'
import { paymentBugs } from './catalogue/payment.ts'
import { replyBugs } from './catalogue/reply.ts'
import { settlementBugs } from './catalogue/settlement.ts'
import { worldBugs } from './catalogue/worlds.ts'
import { withdrawalBugs } from './catalogue/withdrawal.ts'

/** Every planted bug, in the order of the way of a request. */
export const catalogue: readonly PlantedBug[] = [
  ...messageBugs,
  ...gateBugs,
  ...paymentBugs,
  ...settlementBugs,
  ...withdrawalBugs,
  ...replyBugs,
  ...laneBugs,
  ...booksBugs,
  ...worldBugs,
]
