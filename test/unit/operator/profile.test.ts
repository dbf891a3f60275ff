import { expect, test } from 'vitest'
import { profileEvents } from '../../../src/operator/profile.ts'

const facts = {
  name: 'Timmy',
  relays: ['wss://one.example'],
  dmRelays: ['wss://two.example'],
  createdAt: 1_700_000_000,
}

const aboutOf = (powBits: number) => {
  const [profile] = profileEvents({ ...facts, powBits })
  return { tags: profile?.tags, about: String(JSON.parse(profile?.content ?? '{}').about) }
}

test('the profile names the proof of work while a wrap must show one, and is silent otherwise', () => {
  expect(aboutOf(0).tags).toEqual([])
  expect(aboutOf(0).about).not.toMatch(/proof of work/)
  expect(aboutOf(16).tags).toEqual([['pow', '16']])
  expect(aboutOf(16).about).toMatch(/16 bits of proof of work \(NIP-13\)/)
})

test('the bot says that it is one, where it reads, and which jobs it takes', () => {
  const events = profileEvents({ ...facts, powBits: 0 })
  expect(events.map(({ kind }) => kind)).toEqual([0, 10_002, 10_050, 31_990])
  expect(JSON.parse(events[0]?.content ?? '{}')).toMatchObject({ name: 'Timmy', bot: true })
  expect(events[1]?.tags).toEqual([['r', 'wss://one.example']])
  expect(events[2]?.tags).toEqual([['relay', 'wss://two.example']])
  expect(events[3]?.tags).toContainEqual(['k', '5050'])
})
