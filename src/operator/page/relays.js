// @ts-check

/*
 * Connections to relays: one socket each, one REQ, connected again after growing pauses for as long as the page
 * is open.
 */

const FIRST_MS = 1_000
const MOST_MS = 60_000
/** A frame longer than this is nothing this page asked for. */
const FRAME_CHARS = 65_536

/**
 * @param {{ urls: string[], filters: object[], onEvent: (value: unknown) => void,
 *   onState: (url: string, state: 'connecting' | 'open' | 'live' | 'waiting') => void,
 *   WebSocket: new (url: string) => WebSocket, setTimeout: (run: () => void, ms: number) => unknown }} options
 */
export function connectRelays({ urls, filters, onEvent, onState, WebSocket: Socket, setTimeout }) {
  for (const url of urls) connect(url, 0)

  /**
   * @param {string} url
   * @param {number} failures
   */
  function connect(url, failures) {
    onState(url, 'connecting')
    let wasOpen = false
    /** @type {WebSocket} */
    let socket
    const again = () => {
      onState(url, 'waiting')
      const tries = wasOpen ? 0 : failures
      const pauseMs = Math.min(MOST_MS, FIRST_MS * 2 ** tries) * (0.5 + Math.random() / 2)
      setTimeout(() => connect(url, tries + 1), pauseMs)
    }
    try {
      socket = new Socket(url)
    } catch {
      return again()
    }
    socket.onopen = () => {
      wasOpen = true
      onState(url, 'open')
      socket.send(JSON.stringify(['REQ', 'pool', ...filters]))
    }
    socket.onclose = again
    socket.onmessage = ({ data }) => {
      if (typeof data !== 'string' || data.length > FRAME_CHARS) return
      const frame = parse(data)
      if (frame[1] !== 'pool') return
      if (frame[0] === 'EVENT') onEvent(frame[2])
      if (frame[0] === 'EOSE') onState(url, 'live')
      // A relay that ends the subscription says nothing any more.
      if (frame[0] === 'CLOSED') socket.close()
    }
  }
}

/**
 * @param {string} text
 * @returns {unknown[]}
 */
function parse(text) {
  try {
    const value = JSON.parse(text)
    return Array.isArray(value) ? value : []
  } catch {
    return []
  }
}
