import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'

// An HTTP API as a service: node ask.mjs URL FIELD [KEY_FILE]
// Posts {"text": request} to URL and prints FIELD of the JSON answer. The program has no environment, so a key of
// the API comes from a file, which no other customer and no process list sees.

const [url, field, keyFile] = process.argv.slice(2)
const TIMEOUT_MS = 25_000
const ANSWER_CHARS = 100_000
const [REFUSED, TRY_LATER] = [65, 75]

const key = keyFile ? (await readFile(keyFile, 'utf8')).trim() : undefined
const request = await text(process.stdin)

const response = await fetch(url, {
  method: 'POST',
  redirect: 'error',
  headers: {
    'content-type': 'application/json',
    ...(key ? { authorization: `Bearer ${key}` } : {}),
  },
  body: JSON.stringify({ text: request }),
  signal: AbortSignal.timeout(TIMEOUT_MS),
  // The API is down or slow: another try may do, and the customer is told nothing yet.
}).catch(() => process.exit(TRY_LATER))

// What the API says about the request is the customer's to mend; what it says about itself is not.
if (response.status === 400 || response.status === 422) process.exit(REFUSED)
if (response.status === 429 || response.status >= 500) process.exit(TRY_LATER)
if (!response.ok) process.exit(1)

const answer = await response.json().catch(() => process.exit(TRY_LATER))
const result = answer?.[field]
if (typeof result !== 'string' || result.length > ANSWER_CHARS) process.exit(1)
process.stdout.write(result)
