/**
 * Events that were taken in, by id and signature: a copy from another relay is dropped without opening it. Only
 * verified events may be added, or a forged copy that comes first would hide the true one. The oldest go first.
 */
export interface SeenEvents {
  has(id: string, sig: string): boolean
  add(id: string, sig: string): void
}

/** Half an id and a part of the signature tell events apart: 96 bits that an attacker cannot choose freely. */
const keyOf = (id: string, sig: string): string => id.slice(0, 24) + sig.slice(0, 24)

export function createSeen(most: number): SeenEvents {
  let recent = new Set<string>()
  let older = new Set<string>()
  return {
    has: (id, sig) => recent.has(keyOf(id, sig)) || older.has(keyOf(id, sig)),
    add(id, sig) {
      recent.add(keyOf(id, sig))
      // Two halves, so that forgetting is one assignment and not a walk.
      if (recent.size < most / 2) return
      older = recent
      recent = new Set()
    },
  }
}
