/**
 * The text of a result as it may be stored and shown: line breaks are `\n`; every other control
 * character but the tab is dropped (NUL does not fit Postgres, escape sequences would take over the
 * terminal of whoever reads it); lone surrogates become U+FFFD; no blank space around.
 */
export function plainText(text: string): string {
  return text
    .replaceAll('\r\n', '\n')
    .replaceAll(/[^\P{Cc}\t\n]/gu, '')
    .toWellFormed()
    .trim()
}
