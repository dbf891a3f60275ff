import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { readConfig } from '../../src/config.ts'
import { settingNotes } from '../../src/settings.ts'
import { createMetrics } from '../../src/operator/metrics.ts'

const root = join(import.meta.dirname, '../..')
const read = (path: string) => readFileSync(join(root, path), 'utf8')

/** Every series the daemon has, by name, as Prometheus sees them. */
async function knownNames(): Promise<Set<string>> {
  const text = await createMetrics().render()
  const names = [...text.matchAll(/^# TYPE (tithe_\w+) (\w+)$/gm)]
  return new Set(
    names.flatMap(([, name = '', kind]) =>
      kind === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
    ),
  )
}

const namesIn = (expression: string): string[] => expression.match(/tithe_\w+/g) ?? []
/** Whether brackets close: the commonest slip in an expression that nothing here can evaluate. */
const isBalanced = (text: string): boolean =>
  ['()', '{}', '[]'].every(
    ([open = '', close = '']) => text.split(open).length === text.split(close).length,
  )

describe('the Grafana dashboard', () => {
  const dashboard = z
    .object({
      uid: z.literal('tithe'),
      panels: z.array(
        z.object({
          id: z.number(),
          title: z.string().min(1),
          gridPos: z.object({ x: z.number(), y: z.number(), w: z.number(), h: z.number() }),
          targets: z.array(z.object({ expr: z.string(), legendFormat: z.string() })).min(1),
        }),
      ),
    })
    .parse(JSON.parse(read('deploy/grafana.json')))
  const expressions = dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr))

  test('asks for series that the daemon has, and for all of them', async () => {
    const known = await knownNames()
    const asked = new Set(expressions.flatMap(namesIn))
    for (const name of asked) expect(known, name).toContain(name)
    const missing = [...known].filter((name) => !asked.has(name) && !name.endsWith('_sum'))
    expect(missing).toEqual([])
    for (const expression of expressions) expect(isBalanced(expression), expression).toBe(true)
  })

  test('has panels that neither share an id nor lie on each other', () => {
    const { panels } = dashboard
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
    for (const [at, { gridPos: a, title }] of panels.entries()) {
      expect(a.x + a.w, title).toBeLessThanOrEqual(24)
      for (const { gridPos: b } of panels.slice(at + 1)) {
        const apart = a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y
        expect(apart, title).toBe(true)
      }
    }
  })
})

test('the alert rules are about series that the daemon has, and say what to do', async () => {
  const rules = z
    .object({
      groups: z.array(
        z.object({
          name: z.string(),
          rules: z.array(
            z.object({
              alert: z.string().regex(/^Tithe[A-Z]\w+$/),
              expr: z.string(),
              for: z
                .string()
                .regex(/^\d+[mh]$/)
                .optional(),
              labels: z.object({ severity: z.enum(['page', 'ticket']) }),
              annotations: z.object({ summary: z.string().min(1), action: z.string().min(1) }),
            }),
          ),
        }),
      ),
    })
    .parse(parse(read('deploy/alerts.yml')))
    .groups.flatMap((group) => group.rules)
  const known = await knownNames()
  expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length)
  for (const { alert, expr } of rules) {
    expect(namesIn(expr).length, alert).toBeGreaterThan(0)
    for (const name of namesIn(expr)) expect(known, alert).toContain(name)
    expect(isBalanced(expr), alert).toBe(true)
  }
})

test('what actions of alerts name as commands exists', () => {
  const main = ['main.ts', 'main-look.ts', 'main-setup.ts', 'main-payouts.ts']
    .filter((name) => existsSync(join(root, 'src', name)))
    .map((name) => read(`src/${name}`))
    .join('\n')
  for (const [, command = ''] of read('deploy/alerts.yml').matchAll(/action:.* tithe ([a-z]+)/g)) {
    expect(main, command).toMatch(new RegExp(`\\.command\\('${command}'\\)`))
  }
})

const names = new Set(settingNotes().map(({ name }) => name))

describe('compose.yaml', () => {
  const part = z.object({
    environment: z.record(z.string(), z.string()),
    volumes: z.array(z.string()),
    stop_grace_period: z.string(),
  })
  const file = z
    .object({
      services: z.object({
        tithe: part.extend({ ports: z.array(z.string()), env_file: z.string() }),
        database: part.extend({ image: z.string() }),
      }),
      volumes: z.record(z.string(), z.null()),
    })
    .parse(parse(read('compose.yaml')))
  const { tithe, database } = file.services

  test('sets what tithe knows, to values that it takes', () => {
    for (const name of Object.keys(tithe.environment)) expect(names, name).toContain(name)
    const settings = readConfig({
      ...tithe.environment,
      DATABASE_URL: tithe.environment.DATABASE_URL?.replace(/\$\{[^}]*\}/, 'secret'),
      NOSTR_SECRET_KEY: '01'.repeat(32),
      RELAYS: 'wss://relay.example',
      LNBITS_URL: 'https://lnbits.example',
      LNBITS_INVOICE_KEY: 'an-invoice-key',
      BACKEND: 'echo',
      MODELS: '[{"name":"echo","satsPerRequest":21}]',
    })
    expect(settings).toMatchObject({ ok: true, config: { http: { host: '0.0.0.0', port: 8_787 } } })
  })

  test('opens nothing to other machines, keeps data in volumes and gives work time to end', () => {
    for (const port of tithe.ports) expect(port).toMatch(/^127\.0\.0\.1:/)
    const kept = [...tithe.volumes, ...database.volumes].map((volume) => volume.split(':')[0])
    expect(kept.toSorted()).toEqual(Object.keys(file.volumes).toSorted())
    const grace = settingNotes().find(({ name }) => name === 'STOP_GRACE_SECONDS')?.default
    expect(Number.parseInt(tithe.stop_grace_period, 10)).toBeGreaterThan(Number(grace))
  })
})

describe('the container image', () => {
  const lines = read('Dockerfile')

  test('copies what a start needs, and nothing that is kept out of it', () => {
    const ignored = read('.dockerignore').split('\n')
    const copied = [...lines.matchAll(/^COPY (.+) \S+$/gm)].flatMap(([, what = '']) =>
      what.split(' '),
    )
    for (const path of copied) {
      expect(existsSync(join(root, path)), path).toBe(true)
      expect(ignored, path).toContain(`!${path}`)
    }
    expect(copied).toEqual(
      expect.arrayContaining(['bin', 'src', 'migrations', 'package-lock.json']),
    )
  })

  test('runs on the Node that tithe needs, as somebody who is not root', () => {
    const [, major] = /^FROM node:(\d+)-/m.exec(lines) ?? []
    expect(Number(major)).toBeGreaterThanOrEqual(24)
    expect(lines).toMatch(/^USER node$/m)
    const [, variables = ''] = /^ENV (.+)$/m.exec(lines) ?? []
    for (const pair of variables.split(' ').slice(1)) expect(names).toContain(pair.split('=')[0])
  })
})

test('the systemd unit starts tithe as nobody in particular and gives work time to end', () => {
  const unit = read('deploy/tithe.service')
  const settings = new Map(
    [...unit.matchAll(/^([A-Z]\w+)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value]),
  )
  expect(settings.get('ExecStart')).toMatch(/bin\/tithe\.js start$/)
  expect(settings.get('Environment')).toBe(`DATA_DIR=/var/lib/${settings.get('StateDirectory')}`)
  expect(settings.get('NoNewPrivileges')).toBe('yes')
  const grace = settingNotes().find(({ name }) => name === 'STOP_GRACE_SECONDS')?.default
  expect(Number(settings.get('TimeoutStopSec'))).toBeGreaterThan(Number(grace))
  // V8 compiles what it runs, so this would stop it at once.
  expect(settings.has('MemoryDenyWriteExecute')).toBe(false)
})
