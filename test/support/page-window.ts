import { join } from 'node:path'
import { parseHTML } from 'linkedom'
import type { BrowserPage } from './chromium.ts'
import { until } from './until.ts'

/** The status page as somebody looks at it, in a browser or in a bare DOM. */
export interface PageWindow extends AsyncDisposable {
  /** Text of an element; an empty text for one that is hidden. */
  text(id: string): Promise<string>
  attribute(id: string, name: string): Promise<string | null>
  /** Waits until an element's text is, or matches, this. */
  shows(id: string, expected: string | RegExp): Promise<string>
  /** The browser, where there is one. */
  browser?: BrowserPage
}

const PAGE = join(import.meta.dirname, '../../src/operator/page/page.js')

/** Opens the page at `url`, which may have a bot behind a `#`; in the browser, in place of what was open. */
export function openPage(url: string, browser: BrowserPage | undefined): Promise<PageWindow> {
  return browser ? inChromium(url, browser) : inBareDom(url)
}

const shower = (read: (id: string) => Promise<string>) => (id: string, expected: string | RegExp) =>
  until(
    `${id} shows ${expected}`,
    async () => {
      const text = await read(id)
      const fits = typeof expected === 'string' ? text === expected : expected.test(text)
      return fits ? text : undefined
    },
    30_000,
  )

async function inChromium(url: string, browser: BrowserPage): Promise<PageWindow> {
  // Another part behind the # alone would load nothing.
  await browser.open('about:blank')
  await browser.open(url)
  const read = async (id: string) => {
    const at = `document.getElementById(${JSON.stringify(id)})`
    return String(await browser.read(`${at}.closest('[hidden]') ? '' : ${at}.textContent`))
  }
  return {
    browser,
    text: read,
    async attribute(id, name) {
      const [where, what] = [JSON.stringify(id), JSON.stringify(name)]
      const value = await browser.read(`document.getElementById(${where}).getAttribute(${what})`)
      return value === null ? null : String(value)
    },
    shows: shower(read),
    async [Symbol.asyncDispose]() {},
  }
}

/** As much of a DOM as is looked at here. */
interface BareDocument {
  getElementById(id: string): {
    textContent: string | null
    closest(selector: string): object | null
    getAttribute(name: string): string | null
  } | null
}

/** The very files that are served, run on a DOM of JavaScript; what only a browser knows is left out. */
async function inBareDom(url: string): Promise<PageWindow> {
  const html = await (await fetch(url)).text()
  const { document }: { document: BareDocument } = Object(parseHTML(html))
  const sockets = new Set<WebSocket>()
  const timers = new Set<NodeJS.Timeout>()
  class Watched extends WebSocket {
    constructor(address: string) {
      super(address)
      sockets.add(this)
    }
  }
  const kept = new Map<string, string>()
  const { start } = (await import(PAGE)) as { start(world: object): Promise<void> }
  await start({
    document,
    location: { hash: new URL(url).hash },
    WebSocket: Watched,
    fetch: (path: string) => fetch(new URL(path, url)),
    storage: {
      getItem: (key: string) => kept.get(key) ?? null,
      setItem: (key: string, value: string) => void kept.set(key, value),
    },
    setTimeout: (run: () => void, ms: number) => timers.add(setTimeout(run, ms)),
    setInterval: (run: () => void, ms: number) => timers.add(setInterval(run, ms)),
    now: () => Math.floor(Date.now() / 1000),
  })
  const find = (id: string) => document.getElementById(id)
  const read = async (id: string) => {
    const element = find(id)
    return element?.closest('[hidden]') ? '' : (element?.textContent ?? '')
  }
  return {
    text: read,
    attribute: async (id, name) => find(id)?.getAttribute(name) ?? null,
    shows: shower(read),
    async [Symbol.asyncDispose]() {
      for (const timer of timers) clearTimeout(timer)
      for (const socket of sockets) {
        socket.onclose = null
        socket.close()
      }
    },
  }
}
