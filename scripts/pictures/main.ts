import { statSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { parseArgs } from 'node:util'
import { findChromium } from '../../test/support/chromium.ts'
import { readChats } from './chat.ts'
import { chatSvg } from './chat-svg.ts'
import { runDemo } from './demo-run.ts'
import { pictureStatusPage } from './status-page.ts'

/*
 * `npm run pictures`: makes the pictures of README.md again, from a run of the demo and from a live daemon's page.
 */

const HELP = `npm run pictures [-- --only conversation|page]

Makes the pictures of README.md again, under docs/pictures/:
  conversation.svg   a run of the demo, as it was said
  status-page.png    the status page of a live daemon, in a Chromium

The page needs a Chromium: on Debian and Ubuntu "apt-get install chromium", or CHROMIUM_PATH=/path/to/it.
Takes about half a minute and gives up after five. Status: 0 made, 1 failed, 2 wrong call, 69 no Chromium.
`

const DIR = join(import.meta.dirname, '../../docs/pictures')
const ROOT = join(import.meta.dirname, '../..')
export const CONVERSATION = join(DIR, 'conversation.svg')
export const STATUS_PAGE = join(DIR, 'status-page.png')
/** A picture is loaded by everybody who looks at the repository, bytes. */
export const BYTES_MAX = { [CONVERSATION]: 40 * 1024, [STATUS_PAGE]: 150 * 1024 }

const LONGEST_MS = 300_000
const UNAVAILABLE = 69

const say = (line: string) => void process.stderr.write(`pictures: ${line}\n`)

function made(path: string): void {
  const { size } = statSync(path)
  const most = BYTES_MAX[path] ?? 0
  say(`${relative(ROOT, path)} is made, ${Math.ceil(size / 1024)} KiB`)
  if (size > most) throw new Error(`that is more than ${most / 1024} KiB`)
}

async function makeConversation(): Promise<void> {
  say('playing the demo…')
  writeFileSync(CONVERSATION, chatSvg(readChats(await runDemo())))
  made(CONVERSATION)
}

async function makePage(): Promise<void> {
  const chromium = findChromium()
  if (!chromium) {
    say('no Chromium was found, so the status page is as it was: apt-get install chromium, or')
    say('set CHROMIUM_PATH to one')
    process.exitCode = UNAVAILABLE
    return
  }
  say(`starting a daemon and ${chromium}…`)
  await pictureStatusPage(chromium, STATUS_PAGE, say)
  made(STATUS_PAGE)
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { help: { type: 'boolean', short: 'h' }, only: { type: 'string' } },
  })
  if (values.help) return void process.stdout.write(HELP)
  if (!['conversation', 'page', undefined].includes(values.only)) {
    throw new TypeError('--only takes conversation or page')
  }
  const limit = setTimeout(() => {
    say('not done in time; nothing more is made')
    process.exit(1)
  }, LONGEST_MS)
  if (values.only !== 'page') await makeConversation()
  if (values.only !== 'conversation') await makePage()
  clearTimeout(limit)
}

if (process.argv[1] === import.meta.filename) {
  try {
    await main()
  } catch (error) {
    say(error instanceof Error ? error.message : String(error))
    process.exitCode = error instanceof TypeError ? 2 : 1
  }
}
