import { randomUUID } from 'node:crypto'
import {
  CommandError,
  type CommandContext,
  type ExitStatus,
  inSats,
  withGround,
} from '../../command.ts'
import { ALL_SATS } from '../../limits.ts'
import type { MoneyRules } from '../../money/rules.ts'
import { floorPct, parseSats } from '../../money/sats.ts'
import { isTier, tiers } from '../../money/tiers.ts'
import { inTransaction, readOnly, type Sql, type Tx } from '../../store/database.ts'
import { lockPool, post } from '../../store/ledger.ts'
import { dailyBudgets, poolState, readPool, readPoolToday, setConfig } from '../../store/pool.ts'
import { tellOfStatus } from '../../store/status.ts'

interface Json {
  json?: boolean
}

/** Prints what the pool holds, what the day gave and what may still leave it. */
export function showPool(context: CommandContext, options: Json = {}): Promise<ExitStatus> {
  return withGround(context, ({ sql }) => print(context, sql, options))
}

/** Moves sats of the operator's account into the pool. */
export function addToPool(
  context: CommandContext,
  { amount, json = false }: { amount: string } & Json,
): Promise<ExitStatus> {
  const sats = readSats(amount)
  if (sats === 0) throw new CommandError('Nothing is added by 0 sats.', { status: 2 })
  return change(context, json, async (tx) => {
    await lockPool(tx)
    const { day } = await readPool(tx)
    const ref = `operator:${randomUUID()}`
    await post(tx, [{ kind: 'pool_add', debit: 'operator', credit: 'pool', sats, ref, day }])
    return `${inSats(sats)} went from the operator's account to the pool.`
  })
}

/** Stops free work, or lets it go on; promises that were made are kept. */
export function pausePool(
  context: CommandContext,
  { paused, json = false }: { paused: boolean } & Json,
): Promise<ExitStatus> {
  return change(context, json, async (tx) => {
    await setConfig(tx, 'pool_paused', paused)
    return paused ? 'No free work until `tithe pool resume`.' : 'Free work goes on.'
  })
}

/** Overrides the daily budget of a tier at once, for every replica; `default` goes back to the settings. */
export function setBudget(
  context: CommandContext,
  { tier, amount, json = false }: { tier: string; amount: string } & Json,
): Promise<ExitStatus> {
  if (!isTier(tier)) {
    throw new CommandError(`Tiers are ${tiers.join(', ')}.`, { status: 2 })
  }
  const budgetSats = amount === 'default' ? undefined : readSats(amount)
  if (tier === 'new' && budgetSats !== undefined && budgetSats > 0) {
    const why = 'New keys cost nothing, so any budget for them could be drained: it stays 0.'
    throw new CommandError(why, { status: 2 })
  }
  return change(context, json, async (tx) => {
    // The pool's row is the lock: two commands at once must not undo each other's tier.
    await lockPool(tx)
    const { [tier]: _, ...others } = (await readPool(tx)).budgetOverrides
    const overrides = budgetSats === undefined ? others : { ...others, [tier]: budgetSats }
    await setConfig(tx, 'budgets', overrides)
    return budgetSats === undefined
      ? `The budget of ${tier} is what the settings say.`
      : `The budget of ${tier} is ${inSats(budgetSats)} a day.`
  })
}

/**
 * Does one thing in one transaction, tells whoever publishes the pool status of it, says what it did, and prints
 * the pool after it.
 */
function change(
  context: CommandContext,
  json: boolean,
  act: (tx: Tx) => Promise<string>,
): Promise<ExitStatus> {
  return withGround(context, async ({ sql }) => {
    const said = await inTransaction(sql, async (tx) => {
      const text = await act(tx)
      await tellOfStatus(tx, 'changed')
      return text
    })
    return print(context, sql, json ? { json } : { said })
  })
}

async function print(
  { terminal, config }: CommandContext,
  sql: Sql,
  { json = false, said }: Json & { said?: string },
): Promise<ExitStatus> {
  const view = await viewOf(sql, config.money)
  if (json) terminal.print(JSON.stringify(view))
  else for (const line of [...(said ? [said, ''] : []), ...linesOf(view)]) terminal.print(line)
  return 0
}

async function viewOf(sql: Sql, rules: MoneyRules) {
  const [pool, today] = await readOnly(sql, async (tx) => {
    const facts = await readPool(tx)
    return [facts, await readPoolToday(tx)] as const
  })
  return {
    balanceSats: pool.balanceSats,
    state: poolState(pool),
    day: pool.day,
    today,
    openPromisesSats: pool.openPromisesSats,
    /** The most that may leave in this UTC day. */
    breakerSats: floorPct(pool.openingSats, rules.poolDailyOutflowPct),
    dailyBudgets: dailyBudgets(pool, rules),
    overridden: tiers.filter((tier) => pool.budgetOverrides[tier] !== undefined),
  }
}

type View = Awaited<ReturnType<typeof viewOf>>

function linesOf({ today, ...view }: View): string[] {
  const budgets = tiers.map((tier) => {
    const mark = view.overridden.includes(tier) ? ' (overridden)' : ''
    return `${tier} ${inSats(view.dailyBudgets[tier])}${mark}`
  })
  return [
    `pool       ${inSats(view.balanceSats)}, ${view.state}`,
    `promised   ${inSats(view.openPromisesSats)} in open invoices`,
    `today      ${today.free} free, ${today.partial} in part, ${today.paid} paid (${view.day}, UTC)`,
    `out today  ${inSats(today.absorbedSats)} of at most ${inSats(view.breakerSats)}`,
    `in today   ${inSats(today.creditedSats)} from paid jobs`,
    `shortfall  ${inSats(today.shortfallSats)} today, paid by the operator's account`,
    `free a day ${budgets.join(', ')}`,
  ]
}

function readSats(text: string): number {
  const sats = parseSats(text)
  if (sats === null || sats > ALL_SATS) {
    throw new CommandError('An amount is digits alone, in whole sats.', { status: 2 })
  }
  return sats
}
