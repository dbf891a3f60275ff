// @ts-check

/*
 * Figures as shapes: paths of SVG and nothing of the DOM.
 */

const STEPS = [1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10]

/** The next round number, close enough that a gauge up to it is never half empty. @param {number} value */
export function roundUp(value) {
  if (value <= 10) return 10
  const power = 10 ** Math.floor(Math.log10(value))
  return power * (STEPS.find((step) => step * power >= value) ?? 10)
}

/**
 * A balance over time as steps, because it stays as it is until it changes.
 * @param {{ at: number, sats: number }[]} points oldest first
 * @param {{ width: number, height: number, until: number }} box `until` in Unix seconds
 */
export function stepPath(points, { width, height, until }) {
  const first = points[0]
  if (!first) return { line: '', area: '', low: 0, high: 0, since: until }
  const values = points.map(({ sats }) => sats)
  const [least, most] = [Math.min(...values), Math.max(...values)]
  const room = Math.max(1, (most - least) * 0.1)
  const [low, high] = [Math.max(0, least - room), most + room]
  const spanSeconds = Math.max(1, until - first.at)
  /** @param {number} at */
  const x = (at) => round(((at - first.at) / spanSeconds) * width)
  /** @param {number} sats */
  const y = (sats) => round(height - ((sats - low) / (high - low)) * height)
  let line = `M0 ${y(first.sats)}`
  for (const { at, sats } of points.slice(1)) line += `H${x(at)}V${y(sats)}`
  line += `H${width}`
  return { line, area: `${line}V${height}H0Z`, low: least, high: most, since: first.at }
}

/** @param {number} value */
const round = (value) => Math.round(value * 10) / 10

/** Dark modules of a QR code as one path, a unit each. @param {boolean[][]} code */
export function qrPath(code) {
  let path = ''
  code.forEach((line, row) => {
    line.forEach((dark, column) => {
      if (dark) path += `M${column} ${row}h1v1h-1z`
    })
  })
  return path
}

/** @param {number} seconds */
export function ago(seconds) {
  const whole = Math.max(0, Math.floor(seconds))
  if (whole < 60) return `${whole} s`
  if (whole < 3_600) return `${Math.floor(whole / 60)} min`
  if (whole < 172_800) return `${Math.floor(whole / 3_600)} h`
  return `${Math.floor(whole / 86_400)} days`
}

/** Groups of three digits, whatever the reader's language: sats are whole. @param {number} count */
export const grouped = (count) => String(count).replace(/\B(?=(\d{3})+$)/g, ' ')
