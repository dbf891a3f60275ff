/**
 * Constraints without a name, by line. Postgres would invent names, and the store tells outcomes
 * apart by them.
 */
export function namelessConstraints(sql: string): { line: number; what: string }[] {
  const plain = blankOut(sql)
  return [...plain.matchAll(CONSTRAINT)].flatMap((match) => {
    const before = plain.slice(0, match.index)
    const named = /\bconstraint\s+[a-z_][a-z0-9_]*\s*$/i.test(before)
    if (named || isPartOfNamed(before, match[0])) return []
    return [{ line: before.split('\n').length, what: `a nameless ${match[0].toLowerCase()}` }]
  })
}

const CONSTRAINT = /\b(primary\s+key|foreign\s+key|unique|check|exclude|references)\b/gi

/** `create unique index`, and the `references` that belongs to a named foreign key. */
function isPartOfNamed(before: string, word: string): boolean {
  if (/^unique$/i.test(word)) return /\bcreate\s+$/i.test(before)
  if (!/^references$/i.test(word)) return /\b(drop|alter|validate)\s+constraint\s+$/i.test(before)
  return /\bforeign\s+key\s*\([^()]*\)\s*$/i.test(before)
}

/** Comments, texts and function bodies as blanks of the same length, so that lines stay. */
function blankOut(sql: string): string {
  return sql.replaceAll(
    /--[^\n]*|\/\*[\s\S]*?\*\/|'(?:[^']|'')*'|(\$[a-z_]*\$)[\s\S]*?\1/gi,
    (piece) => piece.replaceAll(/[^\n]/g, ' '),
  )
}
