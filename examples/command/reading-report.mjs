import { text } from 'node:stream/consumers'

// A service without a network: reads a text on stdin and reports what reading it takes.

/** Words an adult reads in a minute, and says in one. */
const READ_PER_MINUTE = 238
const SAID_PER_MINUTE = 150

const request = (await text(process.stdin)).trim()
const words = [...new Intl.Segmenter('en', { granularity: 'word' }).segment(request)].filter(
  ({ isWordLike }) => isWordLike,
)
// 65 says that the request is not for this service: the customer pays nothing.
if (words.length === 0) process.exit(65)

const sentences = [...new Intl.Segmenter('en', { granularity: 'sentence' }).segment(request)]
const minutes = (perMinute) => Math.max(1, Math.round(words.length / perMinute))
const longest = words.map(({ segment }) => segment).toSorted((a, b) => b.length - a.length)[0]

const many = (count, noun) => `${count} ${noun}${count === 1 ? '' : 's'}`

process.stdout.write(
  [
    `${many(words.length, 'word')} in ${many(sentences.length, 'sentence')}.`,
    `${(words.length / sentences.length).toFixed(1)} words a sentence, the longest word is "${longest}".`,
    `${minutes(READ_PER_MINUTE)} min to read, ${minutes(SAID_PER_MINUTE)} min to say aloud.`,
    '',
  ].join('\n'),
)
