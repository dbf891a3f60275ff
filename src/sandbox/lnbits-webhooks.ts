import { request } from 'node:http'
import { paymentJson } from './lnbits-answers.ts'
import type { PlayRow } from './lnbits-books.ts'
import type { PlayFaults } from './lnbits-faults.ts'

const WAIT_MS = 40_000

/**
 * LNbits' webhooks: one POST to the address that an invoice was made with, two for a payment inside LNbits, not
 * signed, and never tried again. The body is JSON inside a JSON text, as LNbits 1.1.0 and later send it, or as
 * `faults.webhook` says.
 */
export function createWebhooks(faults: PlayFaults, stopping: AbortSignal) {
  return (row: PlayRow, times: number): void => {
    if (row.webhook === undefined || faults.webhook === 'missing') return
    const payment = JSON.stringify(paymentJson(row))
    const body = faults.webhook === 'text' ? JSON.stringify(payment) : payment
    for (let copy = 0; copy < times; copy += 1) post(row.webhook, body, stopping)
  }
}

/** Whatever becomes of it: LNbits notes the status and leaves it at that. */
function post(address: string, body: string, stopping: AbortSignal): void {
  const headers = { 'content-type': 'application/json', 'user-agent': 'LNbits/1.6.2' }
  const signal = AbortSignal.any([stopping, AbortSignal.timeout(WAIT_MS)])
  const call = request(address, { method: 'POST', headers, signal }, (answer) => answer.resume())
  call.on('error', () => {})
  call.end(body)
}
