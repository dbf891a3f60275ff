/**
 * A mistake that would be costly, as a change of one place of the program, with the tests that must
 * notice it. The program itself knows nothing of it: what is changed is a copy.
 */
export interface PlantedBug {
  /** In small letters and dashes; names it on the command line. */
  name: string
  /** What it would cost, in a sentence. */
  why: string
  /** From the repository's root. */
  file: string
  /** The place: a text that stands in the file exactly once. */
  find: string
  replace: string
  /** `file` or `file › title`, where the title is a part of the test's full name. */
  tests: readonly string[]
}

/** Between a file and a test's title, and between the titles of the blocks around it. */
export const WITHIN = ' › '

/** A named test: a whole file, or the tests of a file whose full name has this title in it. */
export interface TestName {
  file: string
  title: string | undefined
}

export function readTestName(text: string): TestName {
  const [file = '', ...title] = text.split(WITHIN)
  return { file, title: title.length > 0 ? title.join(' ') : undefined }
}

/** Why a bug cannot be planted in the text of its file, in words for who moved the code; or nothing. */
export function anchorFault(
  { name, file, find, replace }: PlantedBug,
  text: string,
): string | undefined {
  const count = text.split(find).length - 1
  if (count === 0) return `anchor of ${name} not found in ${file}: the code moved, move the anchor`
  if (count > 1) {
    return `anchor of ${name} stands ${count} times in ${file}: make it longer, so that it is one place`
  }
  return find === replace ? `${name} changes nothing in ${file}` : undefined
}

/** The text of the file with the bug in it. Throws what `anchorFault` says. */
export function plant(bug: PlantedBug, text: string): string {
  const fault = anchorFault(bug, text)
  if (fault !== undefined) throw new Error(fault)
  // Not `replace`, which reads dollar signs in the new text.
  return text.split(bug.find).join(bug.replace)
}
