import { parseArgs } from 'node:util'
import { openBulk } from './gate-bulk.ts'
import {
  type Figures,
  figuresOf,
  interleave,
  openBaselineCell,
  openGateCell,
  ratioOf,
} from './gate-cell.ts'
import { type GateServer, makeDatabase, startServer } from './gate-database.ts'
import { addHistory } from './gate-history.ts'
import { median, rounded, tell } from './figures.ts'
import { openCrowd } from './gate-processes.ts'

const TEMPLATE = 'gate_template'
const PAST_JOBS = 1_000_000
const BULK_ROWS = 128

interface Settings {
  rounds: number
  seconds: number
}

type ByCallers = Record<string, number>

export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      json: { type: 'boolean', default: false },
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '0.5' },
      parts: { type: 'string', default: 'ratio,processes,grown,bulk' },
      'database-url': { type: 'string' },
    },
  })
  const settings = { rounds: Number(values.rounds), seconds: Number(values.seconds) }
  const parts = values.parts.split(',')
  const server = await startServer(values['database-url'])
  tell(`PostgreSQL ${server.version}, durable, on a disk; every answer is free`)
  tell(`medians of ${settings.rounds} rounds of ${settings.seconds} s, run in turn`)
  try {
    const template = await makeDatabase(server, TEMPLATE)
    await template.sql.end()
    const gate = {
      ...(parts.includes('ratio') ? await compare(server, settings) : {}),
      ...(parts.includes('processes') ? { processes: await share(server, settings) } : {}),
      ...(parts.includes('bulk') ? { bulk: await bulk(server, settings) } : {}),
      ...(parts.includes('grown') ? { grown: await grow(server, settings) } : {}),
    }
    if (values.json) console.log(JSON.stringify({ gate }))
  } finally {
    await server.stop()
  }
}

const whole = (value: number) => Math.round(value).toLocaleString('en')
const percent = (part: number) => `${(part * 100).toFixed(0)} %`

/** The gate beside one transaction per request, at each number of callers. */
async function compare(server: GateServer, { rounds, seconds }: Settings) {
  const ratio: ByCallers = {}
  const awaitedRatio: ByCallers = {}
  const gates: Record<string, Figures> = {}
  const baselines: Record<string, Figures> = {}
  for (const callers of [1, 32, 128]) {
    await using first = await makeDatabase(server, `gate_${callers}`, TEMPLATE)
    await using second = await makeDatabase(server, `baseline_${callers}`, TEMPLATE)
    await using third = await makeDatabase(server, `awaited_${callers}`, TEMPLATE)
    const gate = openGateCell(first)
    const baseline = openBaselineCell(second, { pipelined: true })
    const awaited = openBaselineCell(third, { pipelined: false })
    const cells = [awaited, baseline, gate]
    await interleave(cells, rounds, { callers, seconds })
    for (const cell of cells) await cell.end()
    const [fast, slow] = [figuresOf(gate), figuresOf(baseline)]
    gates[callers] = fast
    baselines[callers] = slow
    ratio[callers] = rounded(ratioOf(gate, baseline), 2)
    awaitedRatio[callers] = rounded(ratioOf(gate, awaited), 2)
    tell(`${callers} callers: ${ratio[callers]} times as many a second`)
    tell(`  the gate ${inWords(fast)}`)
    tell(`  one transaction each, pipelined ${inWords(slow)}`)
    tell(`  each statement awaited ${inWords(figuresOf(awaited))}: ${awaitedRatio[callers]} times`)
  }
  return {
    ratio,
    awaitedRatio,
    perSecond: pick(gates, 'perSecond', 0),
    p50Ms: pick(gates, 'p50Ms'),
    p99Ms: pick(gates, 'p99Ms'),
    baseline: {
      perSecond: pick(baselines, 'perSecond', 0),
      p50Ms: pick(baselines, 'p50Ms'),
      p99Ms: pick(baselines, 'p99Ms'),
    },
  }
}

const inWords = ({ perSecond, p50Ms, p99Ms }: Figures) =>
  `${whole(perSecond)}/s, p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms`

const pick = (all: Record<string, Figures>, name: keyof Figures, digits = 2): ByCallers =>
  Object.fromEntries(Object.entries(all).map(([key, one]) => [key, rounded(one[name], digits)]))

/** Two and three processes on one pool, as parts of what one process decides. */
async function share(server: GateServer, { rounds, seconds }: Settings): Promise<ByCallers> {
  const sizes = [1, 2, 3]
  const databases = await Promise.all(
    sizes.map((size) => makeDatabase(server, `processes_${size}`, TEMPLATE)),
  )
  const crowds = []
  for (const [place, size] of sizes.entries()) {
    const database = databases[place]
    if (database) crowds.push(await openCrowd(size, database))
  }
  for (let turn = 0; turn < rounds; turn += 1) {
    for (const crowd of turn % 2 === 0 ? crowds : crowds.toReversed()) await crowd.slice(seconds)
  }
  const [alone, ...others] = crowds
  const parts: ByCallers = {}
  for (const [place, crowd] of others.entries()) {
    const part = median(crowd.rates.map((rate, turn) => rate / (alone?.rates[turn] ?? Number.NaN)))
    parts[place + 2] = rounded(part, 2)
    const [rate, one] = [crowd.rates, alone?.rates ?? []].map((rates) => whole(median(rates)))
    tell(`${place + 2} processes: ${rate}/s, ${percent(part)} of one process's ${one}/s`)
  }
  const last = crowds.at(-1)
  const poolSats = 10_000
  const drained = await last?.drain(poolSats)
  tell(`of a pool of ${poolSats} sats three processes gave ${drained?.givenSats}`)
  if (drained && drained.givenSats + drained.leftSats !== poolSats) {
    throw new Error('what was given and what is left is not what there was')
  }
  for (const crowd of crowds) await crowd.end()
  for (const database of databases) await database[Symbol.asyncDispose]()
  return parts
}

/** The gate's decisions as a part of the rows that plain inserts write in the same time. */
async function bulk(server: GateServer, { rounds, seconds }: Settings): Promise<number> {
  await using one = await makeDatabase(server, 'bulk_gate', TEMPLATE)
  await using other = await makeDatabase(server, 'bulk_plain', TEMPLATE)
  const gate = openGateCell(one)
  const plain = openBulk(other)
  const rates: number[] = []
  for (let turn = 0; turn <= rounds; turn += 1) {
    let spent = 0
    let batches = 0
    for (; spent < seconds; batches += 1) spent += await plain.write(BULK_ROWS)
    rates.push((batches * BULK_ROWS) / spent)
    await gate.slice({ callers: BULK_ROWS, seconds })
  }
  await plain.close()
  await gate.end()
  const { perSecond } = figuresOf(gate)
  const plainPerSecond = median(rates.slice(1))
  const part = rounded(perSecond / plainPerSecond, 2)
  tell(`plain inserts of the same rows, ${BULK_ROWS} at once: ${whole(plainPerSecond)}/s`)
  tell(`the gate reaches ${percent(part)} of that`)
  return part
}

/** What a decision costs with a million past jobs and grants, against none. */
async function grow(server: GateServer, { rounds, seconds }: Settings): Promise<number> {
  const startedAt = performance.now()
  await using empty = await makeDatabase(server, 'grown_empty', TEMPLATE)
  await using grown = await makeDatabase(server, 'grown_full', TEMPLATE)
  await addHistory(grown, PAST_JOBS)
  const took = (performance.now() - startedAt) / 1_000
  tell(`${whole(PAST_JOBS)} past jobs and grants made in ${took.toFixed(0)} s`)
  const young = openGateCell(empty)
  const old = openGateCell(grown)
  await interleave([young, old], rounds, { callers: 32, seconds })
  await young.end()
  await old.end()
  const factor = rounded(ratioOf(young, old), 2)
  tell(`with that past a decision costs ${factor} times what it costs without (32 callers)`)
  return factor
}
