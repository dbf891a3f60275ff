import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openChromium } from '../../test/support/chromium.ts'
import { openPage, type PageWindow } from '../../test/support/page-window.ts'
import { startTithe, tithe } from '../../test/support/tithe.ts'

const SIZE = { width: 880, height: 800, scale: 1.25 }
/** One price for all, so that the tier `trusted` gets three jobs free and a part of the fourth. */
const MODELS = '[{"name":"echo","satsPerRequest":60}]'
const JOBS = { paid: 3, free: 3, partial: 1 }

/**
 * A daemon of its own with play money, some jobs, and the page as a real browser shows it then.
 * @throws Error when a part does not answer in its time.
 */
export async function pictureStatusPage(
  chromium: string,
  path: string,
  say: (line: string) => void,
): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'tithe-pictures-'))
  // To be passed through: under root the database runs as another user.
  chmodSync(dir, 0o711)
  const env = {
    DATA_DIR: dir,
    LOG_LEVEL: 'error',
    MODELS,
    HTTP_PORT: '0',
    SANDBOX_RELAY_PORT: '0',
    SANDBOX_LNBITS_PORT: '0',
  }
  const daemon = startTithe(['start', '--json'], { env })
  try {
    const { statusUrl } = JSON.parse(await daemon.firstLine()) as { statusUrl: string }
    say(`a daemon serves its page at ${statusUrl}`)
    await using browser = await openChromium(chromium)
    await browser.resize(SIZE.width, SIZE.height, SIZE.scale)
    await browser.prefer('light')
    await using page = await openPage(statusUrl, browser)
    await page.shows('state', 'open')
    await playJobs(page, env, say)
    await browser.screenshot(path)
  } finally {
    daemon.process.kill('SIGTERM')
    await daemon.ended
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** Jobs one after the other, and each has reached the page before the next is asked for. */
async function playJobs(
  page: PageWindow,
  env: Record<string, string>,
  say: (line: string) => void,
): Promise<void> {
  const command = async (...args: string[]): Promise<string> => {
    const ran = await tithe(args, { env })
    if (ran.status !== 0)
      throw new Error(`tithe ${args[0]} ended with ${ran.status}: ${ran.stderr}`)
    return ran.stdout
  }
  const work = async (kind: string, count: number, shownAt: string) => {
    for (let done = 1; done <= count; done += 1) await command('ask', '--yes', `${kind} ${done}`)
    await page.shows(shownAt, String(count))
    say(`${count} ${kind} jobs are on the page`)
  }
  await work('paid', JOBS.paid, 'today-gate')
  const [customer] = JSON.parse(await command('customers', '--json')).customers
  await command('tier', 'set', customer.npub, 'trusted')
  await work('free', JOBS.free, 'today-free')
  await work('partial', JOBS.partial, 'today-partial')
}
