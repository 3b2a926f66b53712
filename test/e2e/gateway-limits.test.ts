import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type CachedOrigin, startCachedOrigin } from './support/cached-origin.ts'
import type { Platform } from './support/client.ts'
import { edgesOf, until, waysTo } from './support/edges.ts'
import { applyGateway } from './support/gateway.ts'
import { openHosts } from './support/hosts.ts'
import type { SendInit } from './support/http.ts'
import { type RunningPlatform, startPlatform } from './support/platform.ts'

/** Limits and idempotency over several edges, and when processes end. What a full load gets through: rate-limit.test.ts. */

const HOST = 'limited.example'
const by = 'header:x-caller'

function documentFor(upstream: string) {
  return {
    routes: [
      { match: `${HOST}/few`, upstream, use: ['few'] },
      { match: `${HOST}/both`, upstream, use: ['few', 'many'] },
      { match: `${HOST}/silent`, upstream, use: ['silent'] },
      { match: `${HOST}/dear`, upstream, use: ['dear'] },
      { match: `${HOST}/keyed`, upstream, use: ['keys', 'by-key'] },
      { match: `${HOST}/closed`, upstream, use: ['closed'] },
      { match: `${HOST}/plan`, upstream, use: ['plan'] },
      { match: `${HOST}/open-plan`, upstream, use: ['open-plan'] },
      { match: `${HOST}/once`, upstream, use: ['once'] },
    ],
    policies: {
      few: { type: 'rate-limit', limit: 5, window: '1m', by },
      many: { type: 'rate-limit', limit: 1000, window: '1h', by },
      silent: { type: 'rate-limit', limit: 5, window: '1m', by, headers: false },
      dear: { type: 'rate-limit', limit: 10, window: '1m', by, cost: { '*': 1, POST: 4, HEAD: 0 } },
      keys: { type: 'api-key' },
      'by-key': { type: 'rate-limit', limit: 2, window: '1m', by: 'api-key' },
      closed: { type: 'rate-limit', limit: 5, window: '1m', by, on_failure: 'closed' },
      plan: { type: 'quota', limit: 50, period: 'day', by },
      'open-plan': { type: 'quota', limit: 50, period: 'day', by, on_failure: 'open' },
      once: { type: 'idempotency', by, lease: '1s' },
    },
  }
}

let callers = 0
/** Somebody who hasn't called before. */
const newCaller = () => `caller-${++callers}-${process.pid}`
const as = (caller: string, init: SendInit = {}): SendInit => ({
  ...init,
  headers: { 'x-caller': caller, ...init.headers },
})
const post = (caller: string, key: string, body = 'x') =>
  as(caller, { method: 'POST', body, headers: { 'idempotency-key': key } })

async function codeOf(response: Response): Promise<unknown> {
  return ((await response.json()) as { code?: unknown }).code
}

const hosts = await openHosts('gateway-limits')

describe.each(hosts)('limits on `npm $kind`', platform => {
  let origin: CachedOrigin
  let ways: Platform['fetch'][]
  let turn = 0
  /** Each call by the next edge. */
  const call = (path: string, init?: SendInit) =>
    (ways[turn++ % ways.length] ?? platform.fetch)(HOST, path, init)

  beforeAll(async () => {
    origin = await startCachedOrigin()
    await applyGateway(platform, documentFor(origin.url))
    ways = waysTo(platform)
  })
  afterAll(() => origin?.stop())

  test('each answer of a rate limit says what is left, whichever edge it is of', async () => {
    const caller = newCaller()
    for (let left = 4; left >= 0; left--) {
      const { status, headers } = await call('/few', as(caller))
      expect([status, headers.get('ratelimit-policy')]).toEqual([200, '"few";q=5;w=60'])
      expect(headers.get('ratelimit')).toMatch(new RegExp(`^"few";r=${left};t=(5[5-9]|6[01])$`))
      expect(headers.has('retry-after')).toBe(false)
    }
    for (let i = 0; i < 4; i++) {
      const refused = await call('/few', as(caller))
      expect([refused.status, refused.headers.get('ratelimit-policy')]).toEqual([429, '"few";q=5;w=60'])
      const [, left, seconds] = /^"few";r=(\d+);t=(\d+)$/.exec(refused.headers.get('ratelimit') ?? '') ?? []
      expect([left, refused.headers.get('retry-after')]).toEqual(['0', seconds])
      expect(Number(seconds)).toBeGreaterThan(50)
      expect(Number(seconds)).toBeLessThanOrEqual(61)
      expect(await codeOf(refused)).toBe('ERR_RATE_LIMIT')
    }
    expect((await call('/few', as(newCaller()))).status).toBe(200)
  })

  test('several policies make one list', async () => {
    const { headers } = await call('/both', as(newCaller()))
    expect(headers.get('ratelimit-policy')).toBe('"few";q=5;w=60, "many";q=1000;w=3600')
    expect(headers.get('ratelimit')).toMatch(/^"few";r=4;t=\d+, "many";r=\d{3};t=\d+$/)
  })

  test('without headers nothing is told', async () => {
    const caller = newCaller()
    const answers = []
    for (let i = 0; i < 6; i++) answers.push(await call('/silent', as(caller)))
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 429])
    expect(
      answers.filter(({ headers }) => headers.has('ratelimit') || headers.has('ratelimit-policy')),
    ).toEqual([])
    expect(answers[5]?.headers.get('retry-after')).toMatch(/^\d+$/)
  })

  test('a request counts what it costs', async () => {
    const caller = newCaller()
    const statuses = []
    for (const method of ['POST', 'POST', 'POST', 'GET', 'HEAD', 'GET', 'GET', 'HEAD'])
      statuses.push((await call('/dear', as(caller, { method }))).status)
    expect(statuses).toEqual([200, 200, 429, 200, 200, 200, 429, 200])
  })

  test('callers are told apart by their key, not by what they say', async () => {
    const create = async () =>
      (await platform.v1<{ key: string }>('POST', '$A/api-keys', { name: 'limits' })).body.key
    for (const key of [await create(), await create()]) {
      const statuses = []
      for (let i = 0; i < 3; i++) {
        const headers = { 'x-api-key': key, 'x-forwarded-for': `203.0.113.${i}`, 'x-caller': `${i}` }
        statuses.push((await call('/keyed', { headers })).status)
      }
      expect(statuses).toEqual([200, 200, 429])
    }
  })

  test('no more than the limit gets through of those who come at the same time', async () => {
    for (let round = 0; round < 5; round++) {
      const caller = newCaller()
      const answers = await Promise.all(Array.from({ length: 60 }, () => call('/few', as(caller))))
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(5)
      expect(answers.filter(({ status }) => status === 429)).toHaveLength(55)
    }
  })

  test('a quota says what is left of the day, and is over when it is used up', async () => {
    const caller = newCaller()
    for (let left = 49; left >= 0; left--) {
      const { status, headers } = await call('/plan', as(caller))
      expect([status, headers.get('ratelimit-policy')]).toEqual([200, '"plan";q=50;w=86400'])
      expect(headers.get('ratelimit')).toMatch(new RegExp(`^"plan";r=${left};t=\\d+$`))
    }
    for (let i = 0; i < 4; i++) {
      const refused = await call('/plan', as(caller))
      expect([refused.status, await codeOf(refused)]).toEqual([429, 'ERR_QUOTA_EXCEEDED'])
      const midnight = 86_400 - (Math.floor(Date.now() / 1000) % 86_400)
      expect(Math.abs(Number(refused.headers.get('retry-after')) - midnight)).toBeLessThanOrEqual(2)
    }
  })

  describe('idempotency', () => {
    test('gives the first answer again, on every edge, and carries nothing out twice', async () => {
      const [caller, key] = [newCaller(), 'order-1']
      const bytes = Uint8Array.from({ length: 256 }, (_, i) => i)
      origin.say('/once', {
        status: 201,
        headers: { 'x-own': 'a, b', 'content-type': 'application/x' },
        body: bytes,
      })
      const before = origin.count('/once')
      for (let i = 0; i < 4; i++) {
        const { status, headers, ...rest } = await call('/once', post(caller, key)).then(async response => ({
          status: response.status,
          headers: response.headers,
          body: new Uint8Array(await response.arrayBuffer()),
        }))
        expect([status, headers.get('x-own'), headers.get('content-type')]).toEqual([
          201,
          'a, b',
          'application/x',
        ])
        expect(rest.body).toEqual(bytes)
        expect(headers.get('idempotency-replayed')).toBe(i === 0 ? null : 'true')
      }
      expect(origin.count('/once') - before).toBe(1)
      // What was asked for with another body, by another caller or another key is something else.
      expect((await call('/once', post(caller, key, 'y'))).status).toBe(422)
      expect((await call('/once', post(newCaller(), key))).headers.has('idempotency-replayed')).toBe(false)
      expect((await call('/once', post(caller, 'order-2'))).headers.has('idempotency-replayed')).toBe(false)
    })

    test('of those who come at the same time one is carried out, and the others are told', async () => {
      const caller = newCaller()
      const before = origin.count('/once')
      const gate = Promise.withResolvers<void>()
      origin.heldBy = gate.promise
      const first = call('/once', post(caller, 'k'))
      await until('the origin is asked', async () => origin.count('/once') > before)
      const others = await Promise.all(Array.from({ length: 10 }, () => call('/once', post(caller, 'k'))))
      expect(others.map(({ status, headers }) => [status, headers.get('retry-after')])).toEqual(
        Array(10).fill([409, '1']),
      )
      origin.heldBy = undefined
      gate.resolve()
      expect((await first).status).toBe(201)
      expect(origin.count('/once') - before).toBe(1)
    })

    test('a caller that hung up finds the answer when it comes again', async () => {
      const caller = newCaller()
      const before = origin.count('/once')
      const gate = Promise.withResolvers<void>()
      origin.heldBy = gate.promise
      const impatient = new AbortController()
      const lost = call('/once', { ...post(caller, 'k'), signal: impatient.signal })
      await until('the origin is asked', async () => origin.count('/once') > before)
      impatient.abort()
      await expect(lost).rejects.toThrow()
      origin.heldBy = undefined
      gate.resolve()
      await until('the answer is kept', async () => (await call('/once', post(caller, 'k'))).status === 201)
      expect(origin.count('/once') - before).toBe(1)
    })
  })
})

describe('when processes end', () => {
  let dataDir: string
  let platform: RunningPlatform
  let origin: CachedOrigin
  let ways: Platform['fetch'][]
  const [FIRST, SECOND] = [0, 1]
  const by = (way: number, path: string, init?: SendInit) =>
    (ways[way] as Platform['fetch'])(HOST, path, init)

  beforeAll(async () => {
    dataDir = mkdtempSync(join(tmpdir(), 'skerry-limits-'))
    origin = await startCachedOrigin()
    platform = await startPlatform('start', { dataDir, env: { SKERRY_PROCESSES: '3' } })
    await applyGateway(platform, documentFor(origin.url))
    ways = waysTo(platform)
    expect(ways).toHaveLength(2)
  })
  afterEach(() => {
    origin.heldBy = undefined
  })
  afterAll(async () => {
    await platform?.stop()
    await origin?.stop()
    rmSync(dataDir, { recursive: true, force: true })
  })

  /** While a process is started there is no record of it. */
  const pidOf = async (name: string) => {
    await until(`${name} runs`, async () => platform.processes()[name] !== undefined)
    return platform.processes()[name] ?? Number.NaN
  }
  const kill = async (name: string) => {
    const pid = await pidOf(name)
    process.kill(pid, 'SIGKILL')
    return pid
  }
  const usedBy = async (policy: string, limit = 1000) => {
    const path = `$A/quotas?policy=${policy}&limit=${limit}`
    const { body } = await platform.v1<{ quotas: { key: string; used: number }[] }>('GET', path)
    return body.quotas
  }

  test('a rate limit holds over the death of an edge', async () => {
    const caller = newCaller()
    for (const way of [FIRST, SECOND, FIRST]) expect((await by(way, '/few', as(caller))).status).toBe(200)
    const [edge = ''] = edgesOf(platform).sort()
    const old = await kill(edge)
    await until('it is started anew', async () => {
      const isNew = platform.processes()[edge] !== old
      return (
        isNew &&
        (await by(FIRST, '/nothing').then(
          ({ status }) => status,
          () => 0,
        )) === 404
      )
    })
    const statuses = []
    for (const way of [FIRST, SECOND, FIRST]) statuses.push((await by(way, '/few', as(caller))).status)
    expect(statuses).toEqual([200, 200, 429])
  })

  test('a rate limit begins anew with the state process, and lets no more than itself in again', async () => {
    const caller = newCaller()
    const count = async () => {
      const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => by(i % 2, '/few', as(caller))))
      return answers.filter(({ status }) => status === 200).length
    }
    expect(await count()).toBe(5)
    await kill('state')
    await until(
      'a refusal is believed no more',
      async () => (await by(FIRST, '/few', as(caller))).status === 200,
    )
    expect(await count()).toBeLessThanOrEqual(4)
  })

  test('a quota never lets more through, and forgets nothing, however often the state process is killed', async () => {
    const caller = newCaller()
    let isOver = false
    let passed = 0
    const strange: string[] = []
    const spenders = [FIRST, SECOND, FIRST, SECOND].map(async way => {
      while (!isOver) {
        const response = await by(way, '/plan', as(caller))
        await response.body?.cancel()
        if (response.status === 200) passed++
        else if (response.status !== 429) strange.push(`${response.status}`)
        if (response.status === 429) break
      }
    })
    for (let i = 0; i < 3; i++) {
      const before = await kill('state')
      await until('state is back', async () => (await pidOf('state')) !== before)
    }
    await Promise.all(spenders)
    isOver = true
    expect(strange).toEqual([])
    expect(passed).toBeLessThanOrEqual(50)
    // A unit may be on disk whose answer was lost with the process: at most one a spender and kill.
    expect(passed).toBeGreaterThanOrEqual(50 - 4 * 3)
    expect((await usedBy('plan')).filter(({ used }) => used > 50)).toEqual([])
    expect((await by(FIRST, '/plan', as(caller))).status).toBe(429)
  })

  test('while the state process is away each limit fails as it is told to, and soon', async () => {
    const caller = newCaller()
    const ask = (path: string, init?: SendInit) => by(FIRST, path, init)
    await withoutState(async () => {
      const startedAtMs = performance.now()
      const [open, closed, plan, openPlan, once] = await Promise.all([
        ask('/few', as(caller)),
        ask('/closed', as(caller)),
        ask('/plan', as(caller)),
        ask('/open-plan', as(caller)),
        ask('/once', post(caller, 'k')),
      ])
      expect(performance.now() - startedAtMs).toBeLessThan(4000)
      expect([open.status, openPlan.status]).toEqual([200, 200])
      for (const refused of [closed, plan, once]) {
        expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1'])
        expect(await codeOf(refused)).toBe('ERR_STATE_UNAVAILABLE')
      }
      // An edge that counts for itself counts: the rest of the limit comes in, and no more.
      const statuses = []
      for (let i = 0; i < 6; i++) statuses.push((await ask('/few', as(caller))).status)
      expect(statuses).toEqual([200, 200, 200, 200, 429, 429])
      const again = performance.now()
      expect((await ask('/closed', as(newCaller()))).status).toBe(503)
      expect(performance.now() - again).toBeLessThan(3000)
    })
    for (const path of ['/closed', '/plan', '/open-plan']) {
      await until(`${path} is back`, async () => (await ask(path, as(newCaller()))).status === 200)
    }
    expect((await ask('/once', post(caller, 'k'))).status).toBe(200)
  })

  test('an API key that is revoked while an edge is started anew is good on none', async () => {
    for (const index of [FIRST, SECOND]) {
      const { body } = await platform.v1<{ id: string; key: string }>('POST', '$A/api-keys', { name: 'x' })
      const headers = { 'x-api-key': body.key }
      const ask = (way: number) =>
        by(way, '/keyed', { headers }).then(
          ({ status }) => status,
          () => 0,
        )
      expect([await ask(FIRST), await ask(SECOND)]).toEqual([200, 200])
      await kill(edgesOf(platform).sort()[index] ?? '')
      expect((await platform.v1('POST', `$A/api-keys/${body.id}/revoke`)).status).toBe(200)
      for (const way of [FIRST, SECOND]) {
        let status = 0
        await until('the edge answers', async () => {
          status = await ask(way)
          return status !== 0
        })
        expect(status).toBe(401)
      }
    }
  })

  test('what was answered once stays so when state or edge are killed', async () => {
    const caller = newCaller()
    const before = origin.count('/once')
    expect((await by(FIRST, '/once', post(caller, 'k'))).status).toBe(200)
    for (let i = 0; i < 3; i++) {
      await kill('state')
      const replayed = await by(i % 2, '/once', post(caller, 'k'))
      expect([replayed.status, replayed.headers.get('idempotency-replayed')]).toEqual([200, 'true'])
    }
    expect(origin.count('/once') - before).toBe(1)
  })

  test('a key whose edge dies under way is held for its lease, then somebody else may try', async () => {
    const caller = newCaller()
    const before = origin.count('/once')
    const gate = Promise.withResolvers<void>()
    origin.heldBy = gate.promise
    const lost = by(FIRST, '/once', post(caller, 'k')).then(
      ({ status }) => status,
      () => 0,
    )
    await until('the origin is asked', async () => origin.count('/once') > before)
    const [edge = ''] = edgesOf(platform).sort()
    await kill(edge)
    expect(await lost).toBe(0)
    origin.heldBy = undefined
    expect((await by(SECOND, '/once', post(caller, 'k'))).status).toBe(409)
    await until(
      'the lease is over',
      async () => (await by(SECOND, '/once', post(caller, 'k'))).status === 200,
    )
    expect(origin.count('/once') - before).toBe(2)
    gate.resolve()
  })

  test('quotas used and answers kept are there after the whole platform was killed', async () => {
    const caller = newCaller()
    for (let i = 0; i < 7; i++) expect((await by(i % 2, '/plan', as(caller))).status).toBe(200)
    expect((await by(SECOND, '/once', post(caller, 'k'))).status).toBe(200)
    const used = await usedBy('plan')
    const asked = origin.count('/once')
    const pids = Object.values(platform.processes())
    await platform.kill9()
    await until('its processes have ended', async () => !pids.some(isAlive))
    platform = await startPlatform('start', { dataDir, env: { SKERRY_PROCESSES: '3' } })
    ways = waysTo(platform)
    expect(await usedBy('plan')).toEqual(used)
    expect((await by(FIRST, '/plan', as(caller))).headers.get('ratelimit')).toMatch(/^"plan";r=42;/)
    expect((await by(FIRST, '/once', post(caller, 'k'))).headers.get('idempotency-replayed')).toBe('true')
    expect(origin.count('/once')).toBe(asked)
  })

  /** Does something while there is no state process, and nobody who would start one. */
  async function withoutState(something: () => Promise<void>): Promise<void> {
    await pidOf('state')
    process.kill(platform.supervisorPid, 'SIGSTOP')
    try {
      await kill('state')
      await something()
    } finally {
      process.kill(platform.supervisorPid, 'SIGCONT')
    }
  }
})

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
