// @ts-check
import { start } from './page.js'

/** Storage is forbidden to some pages, and then asking for it throws. */
function storageOf() {
  try {
    return window.localStorage
  } catch {
    return undefined
  }
}

await start({
  document,
  location,
  WebSocket,
  fetch: (path) => fetch(path),
  storage: storageOf(),
  setTimeout: (run, ms) => setTimeout(run, ms),
  setInterval: (run, ms) => setInterval(run, ms),
  now: () => Math.floor(Date.now() / 1000),
})
