import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { idempotencyPolicy } from '../../routes/policies/idempotency/index.ts'
import { parseIdempotencyKey } from '../../routes/policies/idempotency/key.ts'
import { keepResponse, replay } from '../../routes/policies/idempotency/stored-response.ts'
import { createLocalRecords } from '../../routes/policies/local-records.ts'
import { createPhase } from '../../routes/policies/middleware.ts'
import type { RecordService } from '../../routes/policies/services.ts'
import { codeOf, makeExchange, makeTrace, runPolicy } from './support.ts'

const URL = 'https://api.example.com/orders?dry=0'

/** A policy whose target counts how often it is called. */
function setUp(options: object = {}) {
  const clock = { nowMs: 0 }
  const records = createLocalRecords(() => clock.nowMs)
  const phase = createPhase(idempotencyPolicy, options)
  const calls: string[] = []
  let answer = async (body: string): Promise<Response> =>
    new Response(`order ${calls.length} of ${body}`, {
      status: 201,
      headers: [
        ['location', '/orders/1'],
        ['set-cookie', 'a=1'],
        ['set-cookie', 'b=2; Path=/'],
      ],
    })
  const send = (
    more: {
      key?: string | undefined
      body?: string
      url?: string
      method?: string
      ip?: string
      route?: string
      records?: RecordService
    } = {},
  ) => {
    const {
      key = 'k1',
      body = 'a book',
      url = URL,
      method = 'POST',
      ip = '203.0.113.7',
      route = 'orders',
    } = more
    const headers: Record<string, string> = key === '' ? {} : { 'idempotency-key': key }
    const request = new Request(url, { method, headers, ...(method !== 'GET' && { body }) })
    const exchange = makeExchange(request, {
      clientIp: ip,
      route,
      services: { records: more.records ?? records },
    })
    return runPolicy(phase, exchange, async asked => {
      const text = await asked.takeRequest().text()
      calls.push(text)
      return answer(text)
    })
  }
  const answerWith = (next: typeof answer) => {
    answer = next
  }
  return { clock, records, phase, calls, send, answerWith }
}

describe('idempotency', () => {
  it('carries a request out once, and answers repeated ones as the first', async () => {
    const { calls, send } = setUp()
    const first = await send()
    const again = await send()
    expect(calls).toEqual(['a book'])
    expect([first, again].map(({ status }) => status)).toEqual([201, 201])
    expect(await again.text()).toBe(await first.text())
    expect(first.headers.get('idempotency-replayed')).toBeNull()
    expect(again.headers.get('idempotency-replayed')).toBe('true')
    expect(again.headers.get('location')).toBe('/orders/1')
    expect(again.headers.getSetCookie()).toEqual(['a=1', 'b=2; Path=/'])
  })

  it.each([
    ['another body', { body: 'two books' }],
    ['another query', { url: 'https://api.example.com/orders?dry=1' }],
    ['another method', { method: 'PATCH' }],
  ])('refuses the key of a request with %s: 422', async (_, change) => {
    const { calls, send } = setUp()
    await send()
    const reused = await send(change)
    expect(reused.status).toBe(422)
    expect(await codeOf(reused)).toBe('ERR_IDEMPOTENCY_REUSED')
    expect(calls).toHaveLength(1)
  })

  it.each([
    ['another key', { key: 'k2' }],
    ['another caller', { ip: '198.51.100.1' }],
    ['another route', { route: 'carts' }],
  ])('carries a request of %s out', async (_, change) => {
    const { calls, send } = setUp()
    await send()
    expect((await send(change)).headers.get('idempotency-replayed')).toBeNull()
    expect(calls).toHaveLength(2)
  })

  it.each([
    ['of another method', { method: 'PUT' }],
    ['without a key', { key: '' }],
  ])('lets requests %s pass', async (_, request) => {
    const { calls, send } = setUp()
    await send(request)
    await send(request)
    expect(calls).toHaveLength(2)
  })

  it('refuses one that comes while the first is in progress: 409', async () => {
    const { calls, send, answerWith } = setUp()
    const { promise, resolve } = Promise.withResolvers<Response>()
    answerWith(() => promise)
    const first = send()
    await expect.poll(() => calls).toHaveLength(1)
    const refused = await send()
    expect(refused.status).toBe(409)
    expect(await codeOf(refused)).toBe('ERR_IDEMPOTENCY_IN_PROGRESS')
    expect(refused.headers.get('retry-after')).toBe('1')
    resolve(new Response('late'))
    expect(await (await first).text()).toBe('late')
    expect(await (await send()).text()).toBe('late')
  })

  it('carries one of many that come at once out', async () => {
    const { calls, send } = setUp()
    const answers = await Promise.all(Array.from({ length: 20 }, () => send()))
    expect(calls).toHaveLength(1)
    const first = answers.filter(
      ({ status, headers }) => status === 201 && !headers.has('idempotency-replayed'),
    )
    expect(first).toHaveLength(1)
  })

  it.each([
    [200, 1],
    [404, 1],
    [409, 1],
    [401, 2],
    [429, 2],
    [500, 2],
    [503, 2],
  ])('of an answer %i: a repeated request is carried out %i times in all', async (status, times) => {
    const { calls, send, answerWith } = setUp()
    answerWith(async () => new Response('x', { status }))
    expect((await send()).status).toBe(status)
    expect((await send()).status).toBe(status)
    expect(calls).toHaveLength(times)
  })

  it('may be tried again when the target throws', async () => {
    const { calls, send, answerWith } = setUp()
    answerWith(async () => {
      throw new Error('lost')
    })
    await expect(send()).rejects.toThrow('lost')
    await expect(send()).rejects.toThrow('lost')
    expect(calls).toHaveLength(2)
  })

  it('frees a key whose process died after the lease, and forgets answers after their time', async () => {
    const { clock, records, calls, send } = setUp({ lease: 60, ttl: '1h' })
    const claims: string[] = []
    const dead: RecordService = {
      ...records,
      claim: async (key, value, ttlSeconds) => {
        claims.push(key)
        await records.claim(key, value, ttlSeconds)
        throw new Error('killed')
      },
    }
    expect((await send({ records: dead })).status).toBe(503)
    clock.nowMs = 59_999
    expect((await send()).status).toBe(409)
    clock.nowMs = 60_000
    expect((await send()).status).toBe(201)
    clock.nowMs += 3_600_000 - 1
    expect((await send()).headers.get('idempotency-replayed')).toBe('true')
    clock.nowMs += 1
    expect((await send()).headers.get('idempotency-replayed')).toBeNull()
    expect(calls).toHaveLength(2)
  })

  it('knows its own claim again when it was made twice', async () => {
    const { records, calls, send } = setUp()
    const repeating: RecordService = {
      ...records,
      async claim(key, value, ttlSeconds) {
        await records.claim(key, value, ttlSeconds)
        return records.claim(key, value, ttlSeconds)
      },
    }
    expect((await send({ records: repeating })).status).toBe(201)
    expect(calls).toHaveLength(1)
  })

  it('gives an answer that is too long on, says that it is not kept, and does not carry the request out again', async () => {
    const { calls, send, answerWith } = setUp({ max_response_bytes: 10 })
    answerWith(async () => new Response('x'.repeat(10)))
    await send({ key: 'short' })
    expect(await (await send({ key: 'short' })).text()).toBe('x'.repeat(10))
    answerWith(async () => new Response(streamOf('12345', '67890', '1', 'and so on')))
    const long = await send()
    expect(long.headers.get('idempotency-stored')).toBe('false')
    expect(await long.text()).toBe('12345678901and so on')
    const again = await send()
    expect(again.status).toBe(409)
    expect(await codeOf(again)).toBe('ERR_IDEMPOTENCY_NOT_KEPT')
    expect(calls).toHaveLength(2)
  })

  it('reads bodies up to its bound, and refuses longer ones', async () => {
    const { calls, send } = setUp({ max_request_bytes: 5 })
    expect((await send({ body: '12345' })).status).toBe(201)
    const refused = await send({ body: '123456', key: 'k2' })
    expect(refused.status).toBe(413)
    expect(await codeOf(refused)).toBe('ERR_BODY_TOO_LARGE')
    expect(calls).toEqual(['12345'])
  })

  it('refuses requests without a key where it is required, and keys that are none', async () => {
    const { send } = setUp({ required: true })
    expect(await codeOf(await send({ key: '' }))).toBe('ERR_IDEMPOTENCY_KEY')
    expect((await send({ key: 'a b' })).status).toBe(400)
    expect((await send({ key: 'x'.repeat(256) })).status).toBe(400)
    expect((await send({ key: 'x'.repeat(255) })).status).toBe(201)
  })

  it('in a dry run stores nothing, and says what would be answered', async () => {
    const { phase, records, send, calls } = setUp()
    const explain = async () => {
      const trace = makeTrace()
      const request = new Request(URL, {
        method: 'POST',
        body: 'a book',
        headers: { 'idempotency-key': 'k1' },
      })
      const exchange = makeExchange(request, {
        clientIp: '203.0.113.7',
        route: 'orders',
        trace,
        isDryRun: true,
        services: { records },
      })
      return { status: (await phase.explain?.(exchange))?.status, finding: trace.findings.join() }
    }
    expect(await explain()).toEqual({
      status: undefined,
      finding: 'The key is new: the request would be carried out.',
    })
    expect((await send()).status).toBe(201)
    expect(await explain()).toEqual({
      status: 201,
      finding: 'The first request was carried out: the same answer again. {"status":201}',
    })
    expect(calls).toHaveLength(1)
  })
})

describe('parseIdempotencyKey()', () => {
  it.each([
    ['8e03978e-40d5-43e8-bc93-6894a57f9324', '8e03978e-40d5-43e8-bc93-6894a57f9324'],
    ['"8e03978e"', '8e03978e'],
    ['  "a\\"b\\\\c"  ', 'a"b\\c'],
    ['"a";v=1', 'a'],
    ['', undefined],
    ['""', undefined],
    ['"a', undefined],
    ['"a"b', undefined],
    ['a b', undefined],
    ['a\u00e9', undefined],
    ['a\u0000', undefined],
  ])('%j is %j', (header, expected) => {
    expect(parseIdempotencyKey(header)).toBe(expected)
  })

  it('takes 255 characters, and not one more', () => {
    for (const [unit, char] of [
      ['x', 'x'],
      ['\\"', '"'],
    ] as const) {
      expect(parseIdempotencyKey(`"${unit.repeat(255)}"`)).toBe(char.repeat(255))
      expect(parseIdempotencyKey(`"${unit.repeat(256)}"`)).toBeUndefined()
    }
  })

  it('reads every key the same with quotes and without, unless it begins with one', () => {
    const visible = fc.string({
      unit: fc.integer({ min: 0x21, max: 0x7e }).map(code => String.fromCharCode(code)),
      minLength: 1,
      maxLength: 255,
    })
    fc.assert(
      fc.property(visible, key => {
        expect(parseIdempotencyKey(`"${key.replaceAll(/["\\]/g, '\\$&')}"`)).toBe(key)
        if (!key.startsWith('"')) expect(parseIdempotencyKey(key)).toBe(key)
      }),
    )
  })
})

describe('keepResponse()', () => {
  it('keeps any bytes, and gives them again', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 20_000, size: 'max' }), async bytes => {
        const { response, stored } = await keepResponse(new Response(bytes), 20_000)
        if (!stored) throw new Error('not kept')
        for (const again of [response, replay(stored)]) {
          expect(Buffer.compare(Buffer.from(await again.arrayBuffer()), bytes)).toBe(0)
        }
      }),
      { numRuns: 20 },
    )
  })

  it.each([204, 304])('keeps a %i, which has no body', async status => {
    const { stored } = await keepResponse(new Response(null, { status, headers: { etag: '"1"' } }), 10)
    const again = stored && replay(stored)
    expect([again?.status, again?.body, again?.headers.get('etag')]).toEqual([status, null, '"1"'])
  })
})

function streamOf(...texts: string[]): ReadableStream<Uint8Array> {
  const left = texts.map(text => new TextEncoder().encode(text))
  return new ReadableStream({
    pull(controller) {
      const next = left.shift()
      if (next) controller.enqueue(next)
      else controller.close()
    },
  })
}
