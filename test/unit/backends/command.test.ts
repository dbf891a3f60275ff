import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type CommandOptions, createCommand } from '../../../src/backends/command.ts'
import { plainText } from '../../../src/backends/plain-text.ts'
import { hostilePayloads } from './payloads.ts'

let home: string

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'tithe-test-'))
})

afterAll(() => rmSync(home, { recursive: true, force: true }))

const signal = new AbortController().signal

const command = (argv: string[], options: Partial<CommandOptions> = {}) =>
  createCommand({ argv, timeoutMs: 20_000, graceMs: 200, ...options })

const run = (argv: string[], request = 'a request', options: Partial<CommandOptions> = {}) =>
  command(argv, options).run({ jobId: 'k3', request, model: 'small', signal })

/** A script of the operator's, run by sh; the request arrives on stdin as for any program. */
const script = (text: string, options: Partial<CommandOptions> = {}, request?: string) =>
  run(['/bin/sh', '-c', text], request, options)

const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0)
    // A zombie is dead, only not yet fetched by its parent.
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

async function goneWithin(pid: number, ms: number): Promise<boolean> {
  const deadline = performance.now() + ms
  while (isAlive(pid)) {
    if (performance.now() > deadline) return false
    await new Promise((resolve) => setImmediate(resolve))
  }
  return true
}

const pidIn = (file: string) => Number(readFileSync(join(home, file), 'utf8'))

const giveUp = { code: 'backend_failed', retryable: false }
const retry = { code: 'backend_failed', retryable: true }

describe('a command', () => {
  test('reads the request on stdin and answers on stdout, without usage', async () => {
    expect(await run(['tr', 'a-z', 'A-Z'], 'zwölf')).toEqual({ result: 'ZWöLF', usage: null })
  })

  test('need not read its input, however long', async () => {
    expect(await run(['echo', 'done'], 'x'.repeat(1_000_000))).toMatchObject({ result: 'done' })
  })

  test('gets its arguments as they are', async () => {
    const args = ['%s\n', '$HOME', '`id`', '*', 'a b', "'", '"', ';']
    expect((await run(['printf', ...args])).result.split('\n')).toEqual(args.slice(1))
  })

  test('sees no request in its arguments', async () => {
    const { result } = await script("tr '\\0' ' ' < /proc/$$/cmdline; cat > /dev/null")
    expect(result).toContain('/bin/sh')
    expect(result).not.toContain('a request')
  })

  test.each([
    [1, giveUp, 'exit status 1'],
    [127, giveUp, 'exit status 127'],
    [75, retry, 'exit status 75'],
    [65, { code: 'rejected', retryable: false }, 'the program refused'],
  ])('that exits %d fails as %j', async (status, fault, message) => {
    const running = script(`echo half; exit ${status}`)
    await expect(running).rejects.toMatchObject({ ...fault, message })
  })

  test('that is killed from outside may be retried', async () => {
    const message = 'ended by SIGKILL'
    await expect(script('kill -9 $$')).rejects.toMatchObject({ ...retry, message })
  })

  test('that says nothing has failed', async () => {
    await expect(run(['true'])).rejects.toMatchObject({ ...giveUp, message: 'an empty result' })
  })

  test('complains on stderr to nobody', async () => {
    const { result } = await script('echo complaint >&2; cat; echo; echo done')
    expect(result).toBe('a request\ndone')
  })

  test('that does not exist is found out at the start', () => {
    expect(() => command(['no-such-program'])).toThrow('"no-such-program"')
    expect(() => command(['/etc/passwd'])).toThrow('can be run')
    expect(() => command([''])).toThrow('can be run')
    expect(() => command([])).toThrow('can be run')
  })

  test('whose directory is gone fails', async () => {
    await expect(run(['cat'], 'x', { cwd: `${home}/no` })).rejects.toMatchObject(giveUp)
  })
})

describe('what a command inherits', () => {
  test('is no environment at all', async () => {
    const secret = 'TITHE_TEST_SECRET'
    process.env[secret] = 'nsec1secret'
    await expect(run(['env'])).rejects.toMatchObject({ message: 'an empty result' })
    const { result } = await script('echo ok; cat /proc/$$/environ')
    delete process.env[secret]
    expect(result).toBe('ok')
  })

  test('is what it was given', async () => {
    expect(await run(['env'], 'x', { env: { LANG: 'C' } })).toMatchObject({ result: 'LANG=C' })
  })

  test('is no open file of ours', async () => {
    const opened = openSync(join(home, 'ours'), 'w')
    const { result } = await script('ls -l /proc/$$/fd')
    closeSync(opened)
    expect(result).toContain('/dev/null')
    expect(result).not.toMatch(/ours|eventpoll|io_uring/)
  })

  test('is an empty directory that goes away, unless it is given one', async () => {
    const { result } = await script('pwd; ls -a | wc -l; touch left-behind')
    const [directory = '', entries = ''] = result.split('\n')
    expect(directory).toContain('tithe-command-')
    expect(entries.trim()).toBe('2')
    expect(existsSync(directory)).toBe(false)
    expect(await run(['pwd'], 'x', { cwd: '/' })).toMatchObject({ result: '/' })
  })
})

describe('bounds', () => {
  test('a command that is too slow is ended, politely at first', async () => {
    const running = script(`trap 'echo bye > ${home}/bye; exit 0' TERM; sleep 60 & wait`, {
      timeoutMs: 100,
      graceMs: 10_000,
    })
    await expect(running).rejects.toMatchObject({ code: 'backend_timeout', retryable: false })
    expect(readFileSync(`${home}/bye`, 'utf8')).toBe('bye\n')
  })

  test('a command that does not listen is killed', async () => {
    const options = { timeoutMs: 100, graceMs: 100 }
    const running = script(`trap '' TERM; echo $$ > ${home}/deaf; while :; do :; done`, options)
    await expect(running).rejects.toMatchObject({ code: 'backend_timeout' })
    expect(await goneWithin(pidIn('deaf'), 2_000)).toBe(true)
  })

  test('output without end is cut off and kept small', async () => {
    const running = run(['yes'], 'x', { maxOutputBytes: 100_000 })
    await expect(running).rejects.toMatchObject({ ...giveUp, message: 'too much output' })
  })

  test('more memory than allowed is not given', async () => {
    const eat = 'x = "0123456789abcdef"; while (length(x) < 4e8) x = x x; print "eaten"'
    const awk = ['awk', `BEGIN { ${eat} }`]
    await expect(run(awk, 'x', { memoryBytes: 64 * 1024 * 1024 })).rejects.toMatchObject({
      code: 'backend_failed',
    })
  })

  test('the caller ends a run at once, and it may be run again', async () => {
    const stop = new AbortController()
    const backend = command(['/bin/sh', '-c', `echo $$ > ${home}/stopped; exec sleep 60`])
    const running = backend.run({ jobId: 'k3', request: 'x', model: 'm', signal: stop.signal })
    const fault = expect(running).rejects.toMatchObject({ ...retry, message: 'stopped' })
    const deadline = performance.now() + 5_000
    while (!existsSync(`${home}/stopped`) && performance.now() < deadline) {
      await new Promise((resolve) => setImmediate(resolve))
    }
    stop.abort()
    await fault
    expect(await goneWithin(pidIn('stopped'), 2_000)).toBe(true)
    const late = { jobId: 'k3', request: 'x', model: 'm', signal: AbortSignal.abort() }
    await expect(backend.run(late)).rejects.toMatchObject({ ...retry, message: 'stopped' })
  })
})

describe('what a command leaves behind', () => {
  test('is no process, though it forked into the background', async () => {
    const { result } = await script(`sleep 60 & echo $! > ${home}/background; echo done`)
    expect(result).toBe('done')
    expect(await goneWithin(pidIn('background'), 2_000)).toBe(true)
  })

  test('is no process after a time-out either', async () => {
    const fork = `(trap '' TERM HUP; exec sleep 60) & echo $! > ${home}/late; wait`
    await expect(script(fork, { timeoutMs: 200 })).rejects.toMatchObject({
      code: 'backend_timeout',
    })
    expect(await goneWithin(pidIn('late'), 2_000)).toBe(true)
  })

  test('a stray that left the group but holds the pipe does not hold up the result', async () => {
    const { result } = await script(`setsid sleep 5 & echo $! > ${home}/stray; echo done`)
    expect(result).toBe('done')
    process.kill(pidIn('stray'), 'SIGKILL')
  })

  test('is nothing when tithe itself is killed', async () => {
    const module = fileURLToPath(new URL('../../../src/backends/command.ts', import.meta.url))
    const parent = spawn(
      process.execPath,
      [
        '--input-type=module',
        '-e',
        `import { createCommand } from ${JSON.stringify(module)}
        const argv = ['/bin/sh', '-c', 'echo $$ > ${home}/orphan; echo started; exec sleep 60']
        const signal = new AbortController().signal
        const work = { jobId: '1', request: 'x', model: 'm', signal }
        setInterval(() => {}, 1000)
        createCommand({ argv, timeoutMs: 60_000, cwd: '${home}' }).run(work)
        const { existsSync } = await import('node:fs')
        while (!existsSync('${home}/orphan')) await new Promise((go) => setImmediate(go))
        console.log('ready')`,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    await once(createInterface(parent.stdout), 'line')
    const deadline = performance.now() + 5_000
    while (!(pidIn('orphan') > 0) && performance.now() < deadline) {
      await new Promise((resolve) => setImmediate(resolve))
    }
    const orphan = pidIn('orphan')
    expect(isAlive(orphan)).toBe(true)
    parent.kill('SIGKILL')
    expect(await goneWithin(orphan, 5_000)).toBe(true)
  })
})

describe('hostile requests', () => {
  test('come back as the text they are, more than 200 of them, and none is obeyed', async () => {
    const canary = join(home, 'canary')
    const payloads = hostilePayloads(canary)
    expect(new Set(payloads).size).toBeGreaterThanOrEqual(200)
    const backends = [
      command(['cat']),
      command(['/bin/sh', '-c', 'text=$(cat); printf %s "$text"']),
    ]
    for (const payload of payloads) {
      for (const backend of backends) {
        // A shell variable cannot hold NUL, which no request that was accepted does either.
        const request = backend === backends[0] ? payload : payload.replaceAll('\0', '')
        const expected = plainText(request.toWellFormed())
        const work = { jobId: 'k3', request, model: 'small', signal }
        if (expected === '') {
          await expect(backend.run(work)).rejects.toMatchObject({ message: 'an empty result' })
        } else expect((await backend.run(work)).result).toBe(expected)
      }
    }
    expect(existsSync(canary)).toBe(false)
    expect(readdirSync(home)).not.toContain('canary')
  })
})
