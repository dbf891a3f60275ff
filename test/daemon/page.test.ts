import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { npub } from '../../src/nostr/identity.ts'
import { type BrowserPage, findChromium, openChromium } from '../support/chromium.ts'
import { type DaemonLab, daemonLab } from '../support/daemon-lab.ts'
import type { DaemonProcess } from '../support/daemon-process.ts'
import { openPage } from '../support/page-window.ts'

const chromium = findChromium()
const where = chromium ? 'in a Chromium' : 'in a bare DOM, for want of a Chromium'
const ARTEFACTS = join(import.meta.dirname, '../../test-artefacts')

describe(`the status page ${where}, from a live daemon`, () => {
  let lab: DaemonLab
  let daemon: DaemonProcess
  let browser: BrowserPage | undefined
  beforeAll(async () => {
    lab = await daemonLab()
    const opening = chromium ? openChromium(chromium) : undefined
    daemon = await lab.start()
    browser = await opening
  })
  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]()
    await lab[Symbol.asyncDispose]()
  })

  test('shows the pool as the relays have it, and changes when a job is paid', async () => {
    await using page = await openPage(daemon.statusUrl, browser)
    await page.shows('state', 'open')
    await page.shows('name', 'Timmy')
    expect(await page.text('balance')).toBe('10 000')
    expect(await page.text('tier-trusted')).toBe('200 sats a day')
    expect(await page.text('outflow')).toBe('0 of 1 000 sats given today')
    expect(await page.text('npub')).toBe(npub(daemon.pubkey))
    expect(await page.attribute('dm', 'href')).toBe(`nostr:${npub(daemon.pubkey)}`)
    expect(await page.text('relays')).toMatch(/^127\.0\.0\.1:\d+: live$/)
    const customer = await lab.customer()
    const asked = await customer.ask({ type: 'job', request: 'hello' })
    const { bolt11 } = await customer.reply(asked)
    await customer.pay(bolt11)
    await page.shows('today-gate', '1')
    expect(await page.text('balance')).toBe('10 002')
    expect(await page.text('in')).toBe('2')
    expect(await page.attribute('chart-line', 'd')).toMatch(/^M0 [\d.]+H[\d.]+V[\d.]+H320$/)
    expect(page.browser?.complaints() ?? []).toEqual([])
  })

  test('is legible on a phone and in the dark, and nothing is wider than the screen', async () => {
    await using page = await openPage(daemon.statusUrl, browser)
    await page.shows('state', 'open')
    for (const [name, width, scheme] of [
      ['phone-dark', 360, 'dark'],
      ['phone-light', 360, 'light'],
      ['desk-light', 1_100, 'light'],
      ['desk-dark', 1_100, 'dark'],
    ] as const) {
      await browser?.resize(width, 800)
      await browser?.prefer(scheme)
      const wide = 'document.documentElement.scrollWidth <= innerWidth'
      expect((await browser?.read(wide)) ?? true, name).toBe(true)
      await browser?.screenshot(join(ARTEFACTS, `status-page-${name}.png`))
    }
    expect(await page.attribute('qr-code', 'd')).toMatch(/^M0 0h1v1h-1z/)
  })

  test('finds its bot behind the # of any address, and says when there is none', async () => {
    const other = `${daemon.statusUrl}/index.html#${npub(daemon.pubkey)}&${lab.relay.url}`
    await using page = await openPage(other, browser)
    expect(await page.shows('balance', /^10 00\d$/)).not.toBe('')
    await using lost = await openPage(
      `${daemon.statusUrl}/#npub1nonsense&${lab.relay.url}`,
      browser,
    )
    await lost.shows('state', 'no bot')
  })

  test('says paused when the last replica stops, without being loaded again', async () => {
    await using page = await openPage(daemon.statusUrl, browser)
    await page.shows('state', 'open')
    await daemon.kill('SIGTERM')
    await page.shows('state', 'paused')
    expect(await page.text('state-text')).toBe('No jobs are accepted.')
  })
})
