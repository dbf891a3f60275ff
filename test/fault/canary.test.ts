import { readFileSync } from 'node:fs'
import { nsecEncode } from 'nostr-tools/nip19'
import { expect, test } from 'vitest'
import { createLog } from '../../src/log.ts'
import type { CallFault } from '../../src/sandbox/lnbits-faults.ts'
import { type BotLab, botLab, someKey } from '../support/bot.ts'
import { daemonLab } from '../support/daemon-lab.ts'
import { until } from '../support/until.ts'

/*
 * Invariant C12: no prompt, result, key, invoice or preimage in any log, error, metric or process argument. What is
 * secret is made of texts that occur nowhere else, everything goes wrong that can, and then they are looked for.
 */

/** What of `secrets` occurs in a text, by name. */
const leaks = (text: string, secrets: Record<string, string>): string[] =>
  Object.entries(secrets).flatMap(([name, secret]) =>
    secret.length > 0 && text.includes(secret) ? [name] : [],
  )

/** Everything secret that the play-money LNbits has by now. */
const lightningSecrets = ({ play }: Pick<BotLab, 'play'>): Record<string, string> => ({
  adminKey: play.bot.adminKey,
  invoiceKey: play.bot.invoiceKey,
  ...Object.fromEntries(
    play.books().flatMap((row, at) => [
      [`bolt11 ${at}`, row.bolt11],
      [`preimage ${at}`, /^0+$/.test(row.preimage ?? '0') ? '' : (row.preimage ?? '')],
    ]),
  ),
})

test('whatever goes wrong, no secret is in a log at its most talkative', async () => {
  await using lab = await botLab()
  const lines: string[] = []
  const log = createLog('trace', { write: (line) => void lines.push(line) })
  const prompt = `canary-prompt-${someKey()}`
  const result = `canary-result-${someKey()}`
  let fails = 1
  const bot = await lab.bot({
    log,
    timeoutMs: 2_000,
    async backend(request) {
      fails -= 1
      if (fails >= 0) throw new Error(`could not do ${request} as ${result}`)
      return { result, usage: null }
    },
  })
  const customer = someKey()
  // LNbits says everything it knows in its errors, as a careless version would.
  const everything = () => JSON.stringify(lightningSecrets(lab))
  const detail = `${everything()} ${prompt} ${customer}`
  const failures: CallFault[] = [
    { kind: 'answer', status: 520, body: { detail, status: 'failed' } },
    { kind: 'cut' },
    { kind: 'answer', status: 400, body: { detail: [{ msg: detail }] } },
    { kind: 'crash' },
    { kind: 'html' },
  ]
  // A create is tried again ever later, so it fails only twice.
  for (const fault of failures.slice(0, 2)) lab.play.faults.add('create', fault)
  for (const call of ['pay', 'look', 'list', 'feeReserve', 'wallet'] as const) {
    for (const fault of failures) lab.play.faults.add(call, fault)
  }
  // The server quotes rows in its errors: `Failing row contains (…)`.
  await lab.sql`alter table job_texts add constraint canary check (result not like 'canary%')`
  await bot.dm(customer, prompt)
  const { bolt11 } = await lab.hears(customer, 'invoice')
  lab.play.faults.clear()
  await lab.pay(bolt11)
  bot.journey.hintPayment()
  await until('the result could not be stored', () =>
    lines.some((line) => line.includes('violates check constraint')),
  )
  await lab.sql`alter table job_texts drop constraint canary`
  await lab.hears(customer, 'result')
  await lab.topUp(bot, customer, 3_000)
  const out = lab.outside(700)
  lab.play.node.script(out.paymentHash, { kind: 'unknownPaid' })
  const said = { detail: `${everything()} ${out.bolt11}` }
  lab.play.faults.add('look', { kind: 'answer', status: 520, body: said })
  await bot.dm(customer, `/withdraw ${out.bolt11}`)
  await bot.dm(customer, '/withdraw canary-address@payee.example 500')
  await lab.hears(customer, 'refused')
  await bot.dm(customer, `/withdraw ${lab.outside(600).bolt11}`)
  await lab.hears(customer, 'withdrawal', 2)
  const text = lines.join('')
  expect(lines.length).toBeGreaterThan(10)
  expect(
    leaks(text, {
      ...{ prompt, result, 'withdrawal bolt11': out.bolt11, address: 'canary-address' },
      ...lightningSecrets(lab),
    }),
  ).toEqual([])
})

test('a whole daemon keeps its secrets out of its log, its metrics and its command line', async () => {
  await using lab = await daemonLab()
  const secretKey = someKey()
  const daemon = await lab.start({ LOG_LEVEL: 'trace', NOSTR_SECRET_KEY: secretKey })
  const customer = await lab.customer()
  const prompt = `canary-prompt-${someKey()}`
  const asked = await customer.ask({ type: 'job', request: prompt })
  const invoice = await customer.reply(asked)
  await customer.pay(invoice.bolt11)
  expect(await customer.reply(asked)).toMatchObject({ type: 'working' })
  expect(await customer.reply(asked)).toMatchObject({ type: 'result', result: prompt })
  await lab.lnbits.outage()
  await customer.reply(await customer.ask({ type: 'topup', sats: 500 }))
  await lab.lnbits.recover()
  const { statusUrl } = daemon
  const metrics = await (await fetch(`${statusUrl}/metrics`)).text()
  const command = readFileSync(`/proc/${daemon.pid}/cmdline`, 'utf8')
  await daemon.kill('SIGTERM')
  const secrets = {
    ...{ prompt, secretKey, nsec: nsecEncode(Buffer.from(secretKey, 'hex')) },
    ...{ database: new URL(lab.db.url).password, bolt11: String(invoice.bolt11) },
    ...lightningSecrets({ play: lab.lnbits }),
  }
  expect(metrics).toContain('tithe_')
  expect(daemon.log().length).toBeGreaterThan(1_000)
  expect(leaks([daemon.log(), metrics, command].join('\n'), secrets)).toEqual([])
})
