import { afterAll, beforeAll, inject } from 'vitest'
import { freshSession, openStage, type Stage } from './lab.ts'
import type { WorldOptions } from './world.ts'

/** For a file of scenarios: one database for all of them, and what opens a stage on it for the story of a seed. */
export function stages(): (seed: string, options?: Partial<WorldOptions>) => Promise<Stage> {
  let database: Awaited<ReturnType<typeof freshSession>>
  beforeAll(async () => {
    database = await freshSession(inject('postgres').target)
  })
  afterAll(() => database[Symbol.asyncDispose]())
  return (seed, options = {}) => openStage({ seed, session: database.session, ...options })
}
