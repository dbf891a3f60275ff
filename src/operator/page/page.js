// @ts-check
import { ago, grouped, qrPath, roundUp, stepPath } from './chart.js'
import { decodeNpub } from './npub.js'
import { encodeQr } from './qr.js'
import { connectRelays } from './relays.js'
import { schnorr, sha256 } from './signatures.js'
import { createFollower, D, isSigned, KIND } from './status.js'

/*
 * The page: asks relays for the pool status of one bot and shows what is signed by it. Which bot and which
 * relays stand in bot.json beside this file, or behind the # of the address: #npub1…&wss://relay.example
 */

const STATES = {
  open: 'Free, partial and paid jobs are accepted.',
  limited: 'Free work is nearly used up for today; paid jobs are accepted.',
  'paid-only': 'No free work now; paid jobs are accepted.',
  paused: 'No jobs are accepted.',
  degraded: 'Jobs are accepted, with delays.',
}
const TIERS = ['new', 'established', 'trusted', 'elite']
const SERVES = { free: 'free', partial: 'in part', gate: 'full price' }
/** Points of the balance that are kept between visits. */
const KEPT = 1_000
const CHART = { width: 320, height: 80 }

/**
 * @typedef {{ at: number, sats: number }} Point
 * @typedef {{ document: Document, location: { hash: string }, WebSocket: new (url: string) => WebSocket,
 *   fetch: (path: string) => Promise<{ ok: boolean, json(): Promise<any> }>,
 *   storage: { getItem(key: string): string | null, setItem(key: string, value: string): void } | undefined,
 *   setTimeout: (run: () => void, ms: number) => unknown,
 *   setInterval: (run: () => void, ms: number) => unknown, now: () => number }} World
 *   `now` in Unix seconds
 */

/**
 * Starts the page in a world; resolves when it follows its relays.
 * @param {World} world
 */
export async function start(world) {
  const { document, now } = world
  const show = shower(document)
  const choice = await chosenBot(world)
  if (!choice) {
    show.text('state', 'no bot')
    show.text('state-text', 'Write the bot behind the address: #npub1…&wss://relay.example')
    return
  }
  const { npub, bot, relays } = choice
  showAddress(show, npub)
  const verify = { sha256, verify: schnorr.verify }
  const follower = createFollower({ bot, now, verify: (event) => isSigned(event, verify) })
  /** @type {Map<string, string>} */
  const links = new Map()
  const history = readHistory(world, npub)
  const refresh = () => showAll({ show, follower, history, links, now: now() })
  connectRelays({
    ...{ urls: relays, WebSocket: world.WebSocket, setTimeout: world.setTimeout },
    filters: [
      { kinds: [KIND], authors: [bot], '#d': [D] },
      { kinds: [0], authors: [bot] },
    ],
    onEvent(value) {
      const verdict = follower.take(value)
      const status = follower.status()
      if (verdict === 'news' && status?.exact) {
        history.push({ at: status.at, sats: status.exact.balance })
        history.splice(0, history.length - KEPT)
        keepHistory(world, npub, history)
      }
      if (verdict !== 'old') refresh()
    },
    onState(url, state) {
      links.set(url, state)
      refresh()
    },
  })
  world.setInterval(refresh, 1_000)
  refresh()
}

/**
 * @param {World} world
 * @returns {Promise<{ npub: string, bot: string, relays: string[] } | undefined>}
 */
async function chosenBot({ location, fetch }) {
  const [npub = '', ...relays] = decodeURIComponent(location.hash.slice(1)).split('&')
  const named = npub === '' ? await besideThePage(fetch) : { npub, relays }
  const bot = decodeNpub(named?.npub ?? '')
  const urls = (named?.relays ?? []).filter((url) => /^wss?:\/\/[^\s]+$/.test(url)).slice(0, 8)
  return named && bot && urls.length > 0 ? { npub: named.npub, bot, relays: urls } : undefined
}

/** @param {World['fetch']} fetch */
async function besideThePage(fetch) {
  try {
    const answer = await fetch('bot.json')
    const { npub, relays } = answer.ok ? await answer.json() : {}
    const isList = Array.isArray(relays) && relays.every((url) => typeof url === 'string')
    return typeof npub === 'string' && isList ? { npub, relays } : undefined
  } catch {
    return undefined
  }
}

/**
 * What came from relays goes into the page as text and as attributes of shapes, never as markup.
 * @param {Document} document
 */
function shower(document) {
  /** @param {string} id */
  const find = (id) => {
    const element = document.getElementById(id)
    if (!element) throw new Error(`the page has no ${id}`)
    return element
  }
  return {
    find,
    /** @param {string} id @param {string} value */
    text(id, value) {
      const element = find(id)
      if (element.textContent !== value) element.textContent = value
    },
    /** @param {string} id @param {string} name @param {string} value */
    set: (id, name, value) => find(id).setAttribute(name, value),
    /** @param {string} id @param {boolean} visible */
    toggle(id, visible) {
      if (visible) find(id).removeAttribute('hidden')
      else find(id).setAttribute('hidden', '')
    },
    /**
     * One element for each text, made anew only when they differ.
     * @param {string} id @param {string} tag @param {{ text: string, kind?: string }[]} items
     */
    list(id, tag, items) {
      const parent = find(id)
      const key = JSON.stringify(items)
      if (parent.getAttribute('data-shown') === key) return
      parent.setAttribute('data-shown', key)
      parent.replaceChildren(
        ...items.map(({ text, kind }) => {
          const element = document.createElement(tag)
          element.textContent = text
          if (kind) element.setAttribute('data-kind', kind)
          return element
        }),
      )
    },
  }
}

/** @typedef {ReturnType<typeof shower>} Show */

/**
 * @param {Show} show
 * @param {string} npub
 */
function showAddress(show, npub) {
  const code = encodeQr(`nostr:${npub}`)
  const size = code.length + 8
  show.set('qr', 'viewBox', `-4 -4 ${size} ${size}`)
  show.set('qr-code', 'd', qrPath(code))
  show.text('npub', npub)
  show.set('dm', 'href', `nostr:${npub}`)
}

/**
 * @param {{ show: Show, follower: ReturnType<typeof createFollower>, history: Point[],
 *   links: Map<string, string>, now: number }} all
 */
function showAll({ show, follower, history, links, now }) {
  const status = follower.status()
  const name = follower.name()
  if (name) show.text('name', name)
  showRelays(show, links, follower.seen.forged)
  if (!status) {
    const live = [...links.values()].filter((state) => state === 'live').length
    show.text('state', live > 0 ? 'unknown' : 'connecting')
    const none = 'These relays have no status of this bot yet.'
    show.text('state-text', live > 0 ? none : 'Asking the relays…')
    return
  }
  const stale = follower.isStale()
  show.set('page', 'data-state', stale ? 'stale' : status.state)
  show.text('state', stale ? 'stale' : status.state)
  const words = Object.entries(STATES).find(([state]) => state === status.state)?.[1] ?? ''
  const old = `The last word is ${ago(now - status.at)} old and says nothing about now.`
  show.text('state-text', stale ? old : words)
  show.text('age', `${ago(now - status.at)} ago`)
  show.text('resets', `new budgets in ${ago(status.resetsAt - now)}`)
  show.text('seq', `ledger entry ${grouped(status.seq)}, tithe ${status.version}`)
  show.toggle('fallen', follower.hasFallen())
  showToday(show, status)
  if (status.exact) showExact(show, status.exact, history, now)
  if (status.coarse) showCoarse(show, status.coarse)
  show.toggle('exact', status.exact !== undefined)
  show.toggle('chart-box', status.exact !== undefined)
}

/**
 * @param {Show} show
 * @param {import('./status.js').Status} status
 */
function showToday(show, { jobs }) {
  const all = jobs.free + jobs.partial + jobs.gate
  let from = 0
  for (const [name, count] of Object.entries(jobs)) {
    show.text(`today-${name}`, grouped(count))
    const width = all === 0 ? 0 : (count / all) * 100
    show.set(`bar-${name}`, 'x', String(from))
    show.set(`bar-${name}`, 'width', String(width))
    from += width
  }
}

/** The arc of the gauge is 100 units long. @param {Show} show @param {number} pct */
function showGauge(show, pct) {
  show.set('gauge-value', 'stroke-dasharray', `${Math.max(0, Math.min(100, pct))} 100`)
}

/**
 * @param {Show} show
 * @param {NonNullable<import('./status.js').Status['exact']>} exact
 * @param {Point[]} history
 * @param {number} now
 */
function showExact(show, exact, history, now) {
  const { balance, budgets, limit, used } = exact
  const top = roundUp(Math.max(balance, ...history.map(({ sats }) => sats)))
  showGauge(show, (balance / top) * 100)
  show.text('balance', grouped(balance))
  show.text('unit', `sats of ${grouped(top)}`)
  show.set('gauge', 'aria-label', `The pool holds ${balance} sats`)
  show.text('outflow', `${grouped(used)} of ${grouped(limit)} sats given today`)
  show.set('outflow-bar', 'width', String(limit === 0 ? 0 : Math.min(100, (used / limit) * 100)))
  show.text('in', grouped(exact.credited))
  show.text('out', grouped(exact.absorbed))
  show.text('shortfall', grouped(exact.shortfall))
  for (const tier of TIERS) show.text(`tier-${tier}`, `${grouped(budgets[tier] ?? 0)} sats a day`)
  const { line, area, low, high, since } = stepPath(history, { ...CHART, until: now })
  show.set('chart-line', 'd', line)
  show.set('chart-area', 'd', area)
  show.text('chart-text', `${grouped(low)} to ${grouped(high)} sats in ${ago(now - since)}`)
}

/**
 * @param {Show} show
 * @param {NonNullable<import('./status.js').Status['coarse']>} coarse
 */
function showCoarse(show, { pct, tiers }) {
  showGauge(show, pct)
  show.text('balance', `${pct} %`)
  show.text('unit', 'of its seed')
  show.set('gauge', 'aria-label', `The pool holds ${pct} per cent of its seed`)
  for (const tier of TIERS) {
    const serve = Object.entries(SERVES).find(([word]) => word === tiers[tier])?.[1]
    show.text(`tier-${tier}`, serve ?? 'unknown')
  }
}

/**
 * @param {Show} show
 * @param {Map<string, string>} links
 * @param {number} forged
 */
function showRelays(show, links, forged) {
  const items = [...links].map(([url, state]) => ({
    text: `${url.replace(/^wss?:\/\//, '')}: ${state}`,
    kind: state,
  }))
  show.list('relays', 'li', items)
  show.text('forged', forged === 0 ? '' : `${grouped(forged)} forged events were thrown away.`)
}

/** @param {World} world @param {string} npub @returns {Point[]} */
function readHistory({ storage }, npub) {
  try {
    const kept = JSON.parse(storage?.getItem(`tithe:${npub}`) ?? '[]')
    if (!Array.isArray(kept)) return []
    return kept.filter(({ at, sats }) => Number.isSafeInteger(at) && Number.isSafeInteger(sats))
  } catch {
    return []
  }
}

/** @param {World} world @param {string} npub @param {Point[]} history */
function keepHistory({ storage }, npub, history) {
  try {
    storage?.setItem(`tithe:${npub}`, JSON.stringify(history))
  } catch {
    // A full or forbidden storage costs the curve of the next visit and nothing else.
  }
}
