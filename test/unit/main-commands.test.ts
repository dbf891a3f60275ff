import { Command } from 'commander'
import { expect, test } from 'vitest'
import { addLooks } from '../../src/main-look.ts'
import { addSetup } from '../../src/main-setup.ts'

const never = async (): Promise<never> => {
  throw new Error('no command is run here')
}
const program = new Command('tithe')
const tools = { contextFor: never, stopSignal: () => new AbortController().signal, ended() {} }
addLooks(program, tools)
addSetup(program, tools, never)

const helpOf = (name: string): string =>
  program.commands.find((command) => command.name() === name)?.helpInformation() ?? ''

test.each([
  ['status', ['--watch', '--json']],
  ['jobs', ['--state', '--customer', '--limit', '--json']],
  ['job', ['<id>', '--json']],
  ['customers', ['--limit', '--banned', '--json']],
  ['export', ['--from', '--to', '--json']],
  ['init', ['--file']],
  ['doctor', ['--json']],
  ['backup', ['<file>', '--json']],
  ['restore', ['<file>', '--json']],
])('the help of %s names what it takes', (name, words) => {
  for (const word of words) expect(helpOf(name)).toContain(word)
})
