/**
 * Every bound of the program with its reason. A bound is here when it protects tithe from outsiders
 * or from itself; what an operator may choose is a setting and lives in `settings.ts`.
 */

/** Largest WebSocket frame read, 256 KiB: a wrap of our largest plaintext is 110 KiB, ws allows 100 MiB. */
export const RELAY_FRAME_BYTES = 256 * 1024
/** Largest encrypted content opened, in characters of base64: NIP-44 text of 64 KiB plaintext fits. */
export const SEALED_CONTENT_CHARS = 96 * 1024
/** Largest plaintext decrypted or encrypted, 64 KiB: older NIP-44 peers cannot read more. */
export const NIP44_PLAINTEXT_BYTES = 65_535
/** Deepest JSON nesting read from the network: JSON.parse takes 100,000 levels, JSON.stringify overflows. */
export const JSON_DEPTH = 32
/** Largest published frame when a relay names no smaller one: strfry refuses events above 65,536 bytes. */
export const PUBLISH_FRAME_BYTES = 65_536
/** Longest request text a job may carry, in characters. Larger texts do not fit one wrap on common relays. */
export const REQUEST_CHARS = 20_000
/** Most relays of one customer we publish to, NIP-17 asks for lists of one to three. */
export const CUSTOMER_RELAYS = 4
/** Customers' relays connected at once, so that hostile relay lists cannot use up sockets. */
export const ADHOC_CONNECTIONS = 64
/** Events whose answer a customer's relay may owe, before its first answer and while it answers. */
export const OWED_BY_SILENT = 2
export const OWED_BY_ANSWERING = 32
/** Oldest request that is still executed, seconds (7 days): older ones get one "please resend". */
export const REQUEST_AGE_SECONDS = 7 * 86_400
/** How far in the future a rumor may be dated, seconds: clocks of phones are wrong by minutes. */
export const FUTURE_SECONDS = 600
/** Wraps are back-dated up to two days (NIP-59); resume looks back that far and an hour more. */
export const WRAP_BACKDATE_SECONDS = 2 * 86_400 + 3_600
/** Largest amount of one invoice in sats: LNbits' own default ceiling. */
export const INVOICE_SATS = 10_000_000
/** All sats that will ever exist, of 21 million bitcoins: an amount above is a bug or a lie. */
export const ALL_SATS = 21e14
/** Bytes of an invoice memo; FakeWallet's bolt11 takes 639 bytes, other nodes less. */
export const MEMO_BYTES = 500
/** Longest bolt11 read, characters: LND's own cap. */
export const BOLT11_CHARS = 7_092
/** Most requests decided in one accept transaction: above it throughput grows 20 %, latency doubles. */
export const ACCEPT_BATCH = 256
/** How long after a job the same text by another door is the same request, seconds. */
export const TWIN_SECONDS = 300
/**
 * Latest jobs of a key among which such a text is looked for: a program sends a message by all its doors
 * before its next ones, and each job that is read costs every request of a busy key 0.5 us.
 */
export const TWIN_JOBS = 8
/** Conversation keys kept, 32 bytes each: a busy bot's regular customers. */
export const CONVERSATION_KEYS = 4_096
/** Longest `id` a program may give its request, characters; fixed by the JSON door. */
export const REQUEST_ID_CHARS = 64
/** Longest job id a customer sees, characters; fixed by the JSON door. */
export const JOB_ID_CHARS = 40
/** Longest model name, characters: what `MODELS` allows. */
export const MODEL_NAME_CHARS = 100
/** Most jobs one `jobs` reply lists; fixed by the JSON door, about 4 KiB of JSON. */
export const JOBS_LISTED = 20
/** Most bytes of one reply inside its rumor: 28,295 fit a frame of 64 KiB, with room for tags. */
export const REPLY_BYTES = 20_000
/** Longest result kept, characters: ten DMs. A backend that says more has run away. */
export const RESULT_CHARS = 200_000
/** Longest value of a single-letter tag we publish: strfry refuses events with a longer one. */
export const TAG_VALUE_BYTES = 1_024
/** Most tags read from an encrypted NIP-90 request: a model and some inputs need a dozen. */
export const REQUEST_TAGS = 100
/** Most bytes read from one chat answer: 50,000 output tokens at 300 bytes of SSE each, twice. */
export const BACKEND_BODY_BYTES = 32 * 1024 * 1024
/** Longest line of an event stream, characters: a server that sends its whole answer as one chunk. */
export const SSE_LINE_CHARS = 2 * 1024 * 1024
/** Most bytes of an error body read: enough for its code, and a page of HTML is cut short. */
export const BACKEND_ERROR_BYTES = 16 * 1024
/** Seconds to reach the database before a connection attempt counts as failed. */
export const CONNECT_SECONDS = 10
/** Longest statement, ms, lock waits included: ours take milliseconds, so a longer one is stuck. */
export const STATEMENT_MS = 15_000
/**
 * Longest pause inside a transaction, ms. Ours pause for milliseconds; a process that was stopped in one keeps
 * the pool's row and with it every replica, and must lose it before their own statements time out.
 */
export const IDLE_IN_TRANSACTION_MS = 5_000
/** Times a transaction is tried when the server rolls it back over a race (40001, 40P01). */
export const TRANSACTION_TRIES = 6
/** First pause before such a repeat, ms, doubled each time with jitter: 5 to 160 ms. */
export const TRANSACTION_PAUSE_MS = 5
/** Most tags of one event read: a follow list of that length fills a whole frame. */
export const EVENT_TAGS = 5_000
/** Longest relay URL read from a stranger's list, characters: real ones are under 100. */
export const RELAY_URL_CHARS = 256
/** Jobs of one customer that are not over: above it requests are refused, so that one key cannot fill the queue. */
export const OPEN_JOBS_PER_CUSTOMER = 100
/**
 * Largest frame the socket takes from a relay, 1 MiB. What lies between `RELAY_FRAME_BYTES` and this
 * is dropped unread: an honest relay may store an event larger than we read, and closing the socket
 * for it would let one stranger's event keep us off that relay for as long as it is stored.
 */
export const RELAY_SKIP_BYTES = 1024 * 1024
/** What one relay may cost per second in units of a cheap refusal (25 us): a fifth of one core. */
export const RELAY_BUDGET_PER_SECOND = 8_000
/** Units a relay may spend at once: two seconds of its budget. */
export const RELAY_BUDGET_BURST = 16_000
/** Most bytes waiting in one relay's socket: a relay that reads nothing must not hold our memory. */
export const RELAY_SEND_BYTES = 4 * 1024 * 1024
/** Longest text of a relay (NOTICE, OK, CLOSED, challenge) kept, characters. */
export const RELAY_TEXT_CHARS = 256
/** Most bytes of a relay's information document read (NIP-11): real ones are under 8 KiB. */
export const RELAY_INFO_BYTES = 64 * 1024
/** Stored events asked for in one REQ: strfry's own ceiling, and a page of wraps is 2 MiB. */
export const RELAY_PAGE_EVENTS = 500
/** Most pages one backfill reads from a relay: two million events, above it a relay makes them up. */
export const RELAY_PAGES = 4_096
/** Events handed on and not yet committed before relays are read no further: 8 MiB of usual wraps. */
export const FEED_PENDING_EVENTS = 2_000
/** Customers whose relay lists are kept in memory, about 1 KiB each. */
export const RELAY_LISTS_KEPT = 10_000
/** Most payments booked in one transaction. */
export const PAYMENT_BATCH = 128
/** Most jobs settled in one transaction. */
export const SETTLE_BATCH = 128
/** Most invoices recorded in one transaction. */
export const QUOTE_BATCH = 64
/** Claims of a job that waits for its invoice before it is refused: about six minutes of LNbits being down. */
export const QUOTE_TRIES = 10
/** Claims of a job at work before it fails with a refund; crashes count, so a poisonous job ends. */
export const WORK_TRIES = 4
/** A job at work for so long tells its customer so, once; seconds. */
export const STILL_WORKING_SECONDS = 10
/** Most characters a tokenizer reads, five longest requests; beyond it bytes count as tokens. */
export const TOKENIZED_CHARS = 100_000
/** Most invoices that one round of bulk questions asks about; LNbits answers 1,000 rows at most to each. */
export const WATCHED_INVOICES = 10_000
/**
 * Looks at single invoices that nobody waits for, of one replica in a minute: with a bulk question every two
 * seconds LNbits is asked less than 100 times a minute, however many invoices are due.
 */
export const LOOKS_PER_MINUTE = 30
/** Most such looks at once. */
export const LOOKS_AT_ONCE = 10
/** Open invoices looked at one by one when LNbits is back: a minute's worth. Later ones have the look before expiry. */
export const LOOKS_AFTER_RETURN = 300
/** Pause before an expired invoice is looked at again while LNbits cannot be asked, seconds. */
export const EXPIRY_RETRY_SECONDS = 5
/** How long the database may take for an answer beyond the statement time-out, ms, before we hang up. */
export const ANSWER_GRACE_MS = 5_000
/** Age at which a database connection is replaced, ms: after a failover its name may lead elsewhere. */
export const CONNECTION_LIFE_MS = 45 * 60_000
/** Pause before listening for wakes again, ms: a wake is a hint, lanes also keep their own timer. */
export const LISTEN_PAUSE_MS = 1_000
/** Most answers stored in one transaction. */
export const ANSWER_BATCH = 128
/** Largest request head of the operator's port, 8 KiB: monitors and browsers send below 2 KiB. */
export const HTTP_HEADER_BYTES = 8 * 1024
/** Longest time a request head may take to arrive, and an idle connection may stay, ms. */
export const HTTP_REQUEST_MS = 5_000
/** Longest time an answer may ask the database, milliseconds: past it, not ready is the answer. */
export const HTTP_ANSWER_MS = 3_000
/** Connections to the operator's port: a few monitors and open status pages. */
export const HTTP_CONNECTIONS = 64
/** Most calls to LNbits that wait for a slot, of one priority: at 25 creates a second it is over a minute. */
export const LNBITS_WAITING = 2_000
/** Largest answer of LNbits read, 8 MiB: a page of 1,000 rows is 1.6 MB. */
export const LNBITS_ANSWER_BYTES = 8 * 1024 * 1024
/** Hashes asked for in one list: their URL stays below the 8 KiB that proxies allow. */
export const LNBITS_HASHES = 100
/** Most replies stored or settled in one transaction. */
export const OUTBOX_BATCH = 128
/** Pause between two writings of what relays answered, ms. */
export const OUTBOX_REST_MS = 20
/** Longest pause between two tries of a reply, seconds. */
export const OUTBOX_RETRY_MAX_SECONDS = 600
/** Most bits of proof of work done for a relay (NIP-13): 20 take seconds of one core, 24 a minute. */
export const POW_BITS = 20
/** The part of all time that is spent on proof of work for relays that customers name. */
export const POW_SHARE = 0.1
/** Longest one proof of work may take, a minute: twenty times the mean of 20 bits on a slow core. */
export const POW_MS = 60_000
/** Wraps opened in one go, by a worker thread or, a quarter of it, between two turns of the event loop. */
export const OPEN_BATCH = 16
/** Wraps that wait before threads open them: a sixth of a second of work, done about when a thread has started. */
export const OPEN_CROWD = 512
/** Memory for young objects of a thread that opens wraps, MiB: a batch makes a few hundred KiB. */
export const OPEN_THREAD_YOUNG_MIB = 8
/** Most wraps that wait to be opened: two seconds of the fast curve, or a relay's whole stored page. */
export const OPEN_QUEUE = 8_192
/** Most characters of content that wait to be opened: a flood must not become our memory. */
export const OPEN_QUEUE_CHARS = 16 * 1024 * 1024
/** Most threads that open wraps: each more costs 40 MiB and the relays cannot feed it. */
export const OPEN_THREADS = 4
/** Longest start of the embedded database, ms: after a crash it replays up to 512 MB of its log. */
export const EMBEDDED_START_MS = 5 * 60_000
/** Longest wait for its stop, ms; it goes on stopping by itself. Usually 50 ms. */
export const EMBEDDED_STOP_MS = 60_000
/** How often it is looked after, ms; a look is three system calls. Doubled up to 32 s by failures. */
export const EMBEDDED_WATCH_MS = 1_000
/** Size at which its log is put aside at a start, bytes; one older is kept. */
export const EMBEDDED_LOG_BYTES = 1024 * 1024
/** Database connections of one process: accept, payments, settle, outbox, lanes and reads side by side. */
export const DATABASE_CONNECTIONS = 10
/** Wraps of customers whose ids are remembered, so that copies from other relays are not opened again. */
export const SEEN_EVENTS = 50_000
/** Replies published at a time: more than strangers' silent relays can keep waiting, `OWED_BY_SILENT` by each. */
export const DELIVERY_SLOTS = 160
/** Jobs whose invoice has expired that are ended at a time: two questions to LNbits have room for them. */
export const EXPIRY_SLOTS = 200
/** Invoices asked for at a time; LNbits makes about 25 a second whatever we do. */
export const QUOTE_SLOTS = 32
/** How long a relay may take to answer a published event, milliseconds. */
export const PUBLISH_MS = 10_000
/** Memory of one run of the command backend, 2 GiB: one runaway program must not take the machine. */
export const COMMAND_MEMORY_BYTES = 2 * 1024 * 1024 * 1024
/** Between SIGTERM and SIGKILL of a command, ms: time to remove its temporary files. */
export const COMMAND_GRACE_MS = 2_000
/** How long output is awaited after a command has exited, ms: a stray child may hold its pipe. */
export const COMMAND_DRAIN_MS = 1_000
/** Largest event of LNbits' websocket read, 64 KiB: one payment object with a long memo is 6 KiB. */
export const LNBITS_EVENT_BYTES = 64 * 1024
/** Largest answer of a lightning address, 64 KiB: real ones are below 4 KiB, some carry a picture. */
export const LNURL_BYTES = 64 * 1024
/** Longest a lightning address may take for one answer, ms: a customer waits for it. */
export const LNURL_MS = 5_000
/** Longest callback URL of a lightning address, characters. */
export const LNURL_CALLBACK_CHARS = 2_000
/** DMs of the bot that `tithe ask` keeps until they are asked for: a stored page of them is 500. */
export const REPLIES_KEPT = 1_000
/** Longest bolt11 that is paid, characters: it is part of a URL when LNbits is asked for its reserve. */
export const WITHDRAWAL_BOLT11_CHARS = 2_000
/** Shortest life an invoice must have left to be paid, seconds: what LNbits and a route may take. */
export const WITHDRAWAL_LIFE_SECONDS = 60
/** Withdrawals of one customer that have not ended: what hangs in the network must not pile up. */
export const OPEN_WITHDRAWALS_PER_CUSTOMER = 3
/** Withdrawals of one customer in a UTC day, failed ones too: each of them is work for LNbits. */
export const WITHDRAWALS_PER_DAY = 20
/** Withdrawals worked on at a time; only one of them is being paid. */
export const WITHDRAWAL_SLOTS = 4
/** Most rows of each ledger table under one seal: 4 MB of text, and what a broken one leaves to search. */
export const SEAL_ROWS = 20_000
/** Pause between two seals, ms: what was booked longer ago cannot be edited unseen. */
export const SEAL_EVERY_MS = 60_000
/** Rows an audit reads at a time: 2 MB. */
export const AUDIT_PAGE_ROWS = 10_000
/** Longest statement of an audit, ms: ten million transfers are added up in half a minute. */
export const AUDIT_STATEMENT_MS = 600_000
/** Jobs whose replies a process remembers the order of, some hundred bytes each. */
export const ORDERED_JOBS = 10_000
/** Most rows a command lists: they are read into memory, and nobody reads more by eye. */
export const ROWS_LISTED = 10_000
/** Pause between two looks of `tithe status --watch`, ms: a look is six cheap statements. */
export const WATCH_MS = 2_000
/** Longest wait for an invoice that a customer is let into, ms; above it the answer is "busy" at once. */
export const INVOICE_WAIT_MS = 30_000
/** Pause between two words of a replica about itself, ms; a minute without one and it is gone. */
export const REPORT_EVERY_MS = 10_000
/** Pool statuses published in a minute at most: relays take a few events a minute from one key. */
export const STATUS_PER_MINUTE = 6
/** Pause between two looks for what operators must be told, ms; what lasts shorter ends by itself. */
export const ALERTS_EVERY_MS = 20_000
/** DMs in words from one key an hour: two a minute is more than a person writes, and bots that talk come to rest. */
export const MESSAGES_PER_HOUR = 120
/** Requests of one program a minute: twenty a second is more than one key's open jobs allow to last. */
export const PROGRAM_MESSAGES_PER_MINUTE = 1_200
/** Refusals told to one key an hour: two programs that cannot read each other fall silent. */
export const REFUSALS_PER_HOUR = 30
/** Keys whose messages are counted, and messages whose failures are; 100 bytes each. */
export const SENDERS_KEPT = 20_000
/** Messages taken back that are remembered, in case they arrive after that. */
export const CANCELS_KEPT = 10_000
/** Smallest text of one part of a long result, bytes, whatever a relay says it takes. */
export const REPLY_PART_BYTES = 1_000
/** Times a message may fail to be committed, the database being up, before it is put into quarantine. */
export const POISON_TRIES = 5
/** Rows added to the quarantine an hour: strangers must not fill a table with what we refuse. */
export const QUARANTINE_PER_HOUR = 60
/** Pause between two readings of the lists that grant tiers, ms; a friend more or less can wait an hour. */
export const TRUST_EVERY_MS = 3_600_000
/** Longest a relay may take to answer for such a list, ms. */
export const TRUST_FETCH_MS = 10_000
/** Most customers whose rank is asked for, the latest first: fifty questions to a provider's relay. */
export const RANKED_KEYS = 5_000
/** Top-ups, donations and withdrawals that wait for LNbits: what it does in twenty seconds. */
export const FUNDS_AT_ONCE = 512
/** Those of one customer; they are done one after the other. */
export const FUNDS_PER_CUSTOMER = 32
/** Messages served at once: above it a batch grows no faster, and replies wait for the database behind them. */
export const SERVED_AT_ONCE = 128
