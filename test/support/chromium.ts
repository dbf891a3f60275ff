import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'

/** A Chromium of this machine: by CHROMIUM_PATH (`none` for none), else by the names distributions give it. */
export function findChromium(): string | undefined {
  const named = process.env.CHROMIUM_PATH
  if (named) return named === 'none' ? undefined : named
  const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
  const paths = (process.env.PATH ?? '').split(':').filter((dir) => dir !== '')
  return paths
    .flatMap((dir) => names.map((name) => join(dir, name)))
    .find((path) => existsSync(path))
}

/** A page in a real browser. */
export interface BrowserPage extends AsyncDisposable {
  open(url: string): Promise<void>
  /** Runs an expression in the page and answers its value. */
  read(expression: string): Promise<unknown>
  /** `scale`: pixels of the picture for one of the page. */
  resize(width: number, height: number, scale?: number): Promise<void>
  prefer(scheme: 'light' | 'dark'): Promise<void>
  /** Writes a picture of the whole page. */
  screenshot(path: string): Promise<void>
  /** Errors of scripts, of loading and of the content security policy. */
  complaints(): string[]
}

type Answer = Record<string, unknown>

/** Starts a headless browser on an empty profile and speaks its DevTools protocol, without a library. */
export async function openChromium(binary: string): Promise<BrowserPage> {
  const profile = mkdtempSync(join(tmpdir(), 'tithe-chromium-'))
  const child = spawn(
    binary,
    [
      ...['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
      ...['--no-first-run', '--disable-background-networking', '--disable-component-update'],
      ...[`--user-data-dir=${profile}`, '--remote-debugging-port=0', 'about:blank'],
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  // A test run that is cut off must not leave a browser behind.
  const end = () => void child.kill('SIGKILL')
  process.once('exit', end)
  const address = await debuggerOf(child)
  const { port } = new URL(address)
  const targets = await fetch(`http://127.0.0.1:${port}/json/list`)
  const [target] = (await targets.json()) as { webSocketDebuggerUrl: string }[]
  const talk = await connect(target?.webSocketDebuggerUrl ?? '')
  // They are no part of the page, and take from its width.
  await talk.call('Emulation.setScrollbarsHidden', { hidden: true })
  for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await talk.call(`${domain}.enable`)
  return {
    async open(url) {
      const loaded = talk.next('Page.loadEventFired')
      const { errorText } = await talk.call('Page.navigate', { url })
      if (errorText !== undefined) throw new Error(`${url} was not opened: ${errorText}`)
      await loaded
    },
    async read(expression) {
      const options = { expression, returnByValue: true, awaitPromise: true }
      const { result } = await talk.call('Runtime.evaluate', options)
      return (result as Answer | undefined)?.value
    },
    async resize(width, height, scale = 2) {
      const metrics = { width, height, deviceScaleFactor: scale, mobile: width < 600 }
      await talk.call('Emulation.setDeviceMetricsOverride', metrics)
    },
    async prefer(scheme) {
      const features = [{ name: 'prefers-color-scheme', value: scheme }]
      await talk.call('Emulation.setEmulatedMedia', { features })
    },
    async screenshot(path) {
      const options = { format: 'png', captureBeyondViewport: true }
      const { data } = await talk.call('Page.captureScreenshot', options)
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, Buffer.from(String(data), 'base64'))
    },
    complaints: talk.complaints,
    async [Symbol.asyncDispose]() {
      talk.close()
      process.removeListener('exit', end)
      const gone = once(child, 'exit')
      end()
      await gone
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

async function debuggerOf({ stderr }: ChildProcess): Promise<string> {
  if (!stderr) throw new Error('the browser has no stderr')
  const lines = createInterface({ input: stderr })
  for await (const line of lines) {
    const [, found] = /DevTools listening on (ws:\S+)/.exec(line) ?? []
    if (found) return found
  }
  throw new Error('the browser ended before it listened')
}

async function connect(url: string) {
  const socket = new WebSocket(url)
  await new Promise((resolve, reject) => {
    socket.onopen = resolve
    socket.onerror = () => reject(new Error('the browser does not listen'))
  })
  const waiting = new Map<number, (answer: Answer) => void>()
  const awaited = new Map<string, () => void>()
  const said: string[] = []
  let last = 0
  socket.onmessage = ({ data }) => {
    const { id, method, params, result, error } = JSON.parse(String(data)) as {
      id?: number
      method?: string
      params?: Answer
      result?: Answer
      error?: { message: string }
    }
    if (id !== undefined) waiting.get(id)?.(error ? { errorText: error.message } : (result ?? {}))
    if (method === undefined) return
    awaited.get(method)?.()
    if (method === 'Runtime.exceptionThrown') said.push(JSON.stringify(params?.exceptionDetails))
    const entry = params?.entry as { level?: string; text?: string } | undefined
    if (method === 'Log.entryAdded' && entry?.level === 'error') said.push(String(entry.text))
  }
  return {
    call(method: string, params: Answer = {}): Promise<Answer> {
      last += 1
      const id = last
      socket.send(JSON.stringify({ id, method, params }))
      return new Promise((resolve) => waiting.set(id, resolve))
    },
    next: (method: string) => new Promise<void>((resolve) => awaited.set(method, resolve)),
    complaints: () => said,
    close: () => socket.close(),
  }
}
