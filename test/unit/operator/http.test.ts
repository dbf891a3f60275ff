import { once } from 'node:events'
import { request } from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { silentLog } from '../../../src/log.ts'
import { type HttpOptions, startHttp } from '../../../src/operator/http.ts'
import { createMetrics } from '../../../src/operator/metrics.ts'

const started = (changes: Partial<HttpOptions> = {}) =>
  startHttp({
    port: 0,
    log: silentLog,
    health: () => ({ ok: true, detail: 'alive' }),
    ready: async () => ({ ok: true, detail: 'relays 2 of 2, database answers' }),
    metrics: createMetrics(),
    ...changes,
  })

/** One request on a connection of its own. `fetch` would hide HEAD bodies and connection reuse. */
async function ask(url: string, options: { method?: string; body?: string } = {}) {
  const { method = 'GET', body } = options
  const headers = body === undefined ? {} : { 'content-length': body.length }
  const call = request(url, { method, headers, agent: false })
  call.end(body)
  const [response] = await once(call, 'response')
  return { status: response.statusCode, headers: response.headers, body: await text(response) }
}

describe('answers', () => {
  test('health and readiness are 200 with their detail', async () => {
    await using http = await started()
    const alive = await ask(`${http.url}/healthz`)
    expect([alive.status, JSON.parse(alive.body)]).toEqual([200, { ok: true, detail: 'alive' }])
    const ready = await ask(`${http.url}/readyz?from=monitor`)
    expect(ready.status).toBe(200)
    expect(JSON.parse(ready.body).detail).toContain('relays 2 of 2')
  })

  test('what is not well is 503 and says why', async () => {
    await using http = await started({
      health: () => ({ ok: false, detail: 'no statement succeeded for 60 s' }),
      ready: async () => ({ ok: false, detail: 'no relay is live' }),
    })
    expect(await ask(`${http.url}/healthz`)).toMatchObject({
      status: 503,
      body: '{"ok":false,"detail":"no statement succeeded for 60 s"}\n',
    })
    expect(await ask(`${http.url}/readyz`)).toMatchObject({ status: 503 })
  })

  test('metrics come in Prometheus form', async () => {
    await using http = await started()
    const { status, headers, body } = await ask(`${http.url}/metrics`)
    expect(status).toBe(200)
    expect(headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/)
    expect(body).toContain('# TYPE tithe_stage_seconds histogram')
  })

  test('page files are served by path, and the root says what is here without a page', async () => {
    const page = new Map([
      ['/', { contentType: 'text/html; charset=utf-8', body: '<p>Tithe ½</p>' }],
    ])
    await using http = await started({ page })
    const { headers, body } = await ask(http.url)
    expect(body).toBe('<p>Tithe ½</p>')
    expect(headers['content-length']).toBe(String(Buffer.byteLength(body)))
    await using bare = await started()
    expect((await ask(bare.url)).body).toContain('/healthz')
  })

  test('every answer carries the security headers', async () => {
    await using http = await started()
    for (const path of ['/', '/healthz', '/metrics', '/nothing']) {
      const { headers } = await ask(http.url + path)
      expect(headers['content-security-policy']).toContain("default-src 'none'")
      expect(headers['x-content-type-options']).toBe('nosniff')
      expect(headers['cache-control']).toBe('no-store')
    }
  })

  test('HEAD answers like GET without a body', async () => {
    await using http = await started()
    const get = await ask(`${http.url}/healthz`)
    const head = await ask(`${http.url}/healthz`, { method: 'HEAD' })
    expect(head.status).toBe(200)
    expect(head.body).toBe('')
    expect(head.headers['content-length']).toBe(get.headers['content-length'])
  })
})

describe('refusals', () => {
  test.each(['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'])('%s is refused', async (method) => {
    await using http = await started()
    const body = method === 'OPTIONS' ? {} : { body: 'x'.repeat(1000) }
    const { status, headers } = await ask(`${http.url}/healthz`, { method, ...body })
    expect(status).toBe(405)
    expect(headers.allow).toBe('GET, HEAD')
  })

  test.each(['/nothing', '/healthz/', '//healthz', '/../package.json', '/%2e%2e/', '/__proto__'])(
    '%s is not found',
    async (path) => {
      await using http = await started({ page: new Map() })
      const call = request({ port: http.port, path, agent: false })
      call.end()
      const [response] = await once(call, 'response')
      expect(response.statusCode).toBe(404)
      expect(await text(response)).toBe('nothing is here\n')
    },
  )

  test('a header above 8 KiB is refused before it is kept', async () => {
    await using http = await started()
    const socket = connect(http.port, '127.0.0.1')
    socket.write(`GET /healthz HTTP/1.1\r\nhost: x\r\nfill: ${'x'.repeat(9_000)}\r\n\r\n`)
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 431 /)
  })

  test('a body costs the connection', async () => {
    await using http = await started()
    const { headers } = await ask(`${http.url}/healthz`, { method: 'POST', body: 'x' })
    expect(headers.connection).toBe('close')
  })

  test('a failure inside is a 500 without its words', async () => {
    await using http = await started({
      ready: () => Promise.reject(new Error('password canary')),
      health: () => {
        throw new Error('password canary')
      },
    })
    for (const path of ['/readyz', '/healthz']) {
      const { status, body } = await ask(http.url + path)
      expect(status).toBe(500)
      expect(body).not.toContain('canary')
    }
  })

  test('a question the database never answers is a no after three seconds', async () => {
    await using http = await started({ ready: () => new Promise(() => {}) })
    const { status, body } = await ask(`${http.url}/readyz`)
    expect(status).toBe(503)
    expect(JSON.parse(body)).toEqual({ ok: false, detail: 'no answer in time' })
  })
})

describe('start and stop', () => {
  test('a port in use is named with the remedy', async () => {
    await using http = await started()
    await expect(started({ port: http.port })).rejects.toThrow(
      `HTTP port ${http.port} on 127.0.0.1 is in use by another program. Set HTTP_PORT to a free`,
    )
  })

  test('it listens on loopback alone unless told otherwise', async () => {
    await using http = await started()
    expect(http.url).toBe(`http://127.0.0.1:${http.port}`)
  })

  test('stop may be called twice, frees the port and waits for running answers', async () => {
    const entered = Promise.withResolvers<void>()
    const answered = Promise.withResolvers<{ ok: boolean; detail: string }>()
    const ready = () => {
      entered.resolve()
      return answered.promise
    }
    const http = await started({ ready })
    const running = ask(`${http.url}/readyz`)
    await entered.promise
    const stops = Promise.all([http.stop(), http.stop()])
    answered.resolve({ ok: true, detail: 'late but whole' })
    expect((await running).body).toContain('late but whole')
    await stops
    await using again = await started({ port: http.port })
    expect(again.port).toBe(http.port)
  })

  test('an answer that never comes cannot hold the stop', async () => {
    const http = await started({ ready: () => new Promise(() => {}) })
    const socket = connect(http.port, '127.0.0.1')
    socket.on('error', () => {})
    socket.write('GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n')
    await once(socket, 'connect')
    await http.stop()
    await text(socket).catch(() => '')
    expect(socket.destroyed || socket.readableEnded).toBe(true)
  })
})
