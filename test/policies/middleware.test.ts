import { type Context, Hono, type MiddlewareHandler } from 'hono'
import { cors } from 'hono/cors'
import * as v from 'valibot'
import { describe, expect, test } from 'vitest'
import type { Identity } from '../../routes/policies/identity.ts'
import {
  type MiddlewareSetup,
  type PolicyEnv,
  toMiddleware,
  toTargetMiddleware,
} from '../../routes/policies/middleware.ts'
import { definePolicy, type Phase } from '../../routes/policies/policy.ts'

const ANN: Identity = { type: 'test', policy: 'test', subject: 'ann', scopes: [], roles: [], claims: {} }

/** A policy that does what a test says. */
function doing(phase: Phase, setup?: MiddlewareSetup): MiddlewareHandler {
  const options = v.strictObject({})
  return toMiddleware(definePolicy({ type: 'test', summary: '', options, create: () => phase }))({}, setup)
}

const refusing = doing({ request: () => new Response('no', { status: 403, headers: { 'x-by': 'policy' } }) })

describe('toMiddleware()', () => {
  const typed = definePolicy({
    type: 'typed',
    summary: '',
    options: v.strictObject({ wait: v.optional(v.pipe(v.string(), v.transform(Number)), '1') }),
    create: ({ wait }) => ({ request: () => new Response(`${wait + 1}`) }),
  })

  test('takes options as they are written, and gives the policy what they mean', async () => {
    const app = new Hono()
    app.get('/default', toMiddleware(typed)({}))
    app.get('/given', toMiddleware(typed)({ wait: '2' }))
    expect(await (await app.request('/default')).text()).toBe('2')
    expect(await (await app.request('/given')).text()).toBe('3')
  })

  test('refuses wrong options when it is made', () => {
    // @ts-expect-error: a number is no text.
    expect(() => toMiddleware(typed)({ wait: 3 })).toThrow('typed: wait: It must be a text, not 3.')
  })

  test('tells later handlers who calls, and later policies', async () => {
    const seen: unknown[] = []
    const app = new Hono<PolicyEnv>()
    app.use(
      doing({
        request(exchange) {
          exchange.identity = ANN
          exchange.version = 'next'
          return undefined
        },
      }),
    )
    app.use(doing({ request: ({ identity, version }) => void seen.push(identity?.subject, version) }))
    app.get('/', c => c.text(`${c.get('identity')?.subject} ${c.get('version')}`))
    expect(await (await app.request('/')).text()).toBe('ann next')
    expect(seen).toEqual(['ann', 'next'])
  })

  test('tells policies what the `:name`s of its path stand for, as they are in the path', async () => {
    const app = new Hono()
    app.get('/:a/:b?', doing({ request: ({ params }) => Response.json(params) }))
    expect(await (await app.request('/a%2Fb/ü')).json()).toEqual({ a: 'a%2Fb', b: '%C3%BC' })
    expect(await (await app.request('/a')).json()).toEqual({ a: 'a' })
  })

  test('gives handlers the request as policies changed it', async () => {
    const app = new Hono()
    app.use(
      doing({
        request(exchange) {
          exchange.request = new Request('http://localhost/?changed', exchange.request)
          exchange.requestHeaders.set('x-added', 'yes')
          return undefined
        },
      }),
    )
    app.get('/', c => c.text(`${new URL(c.req.url).search} ${c.req.header('x-added')}`))
    expect(await (await app.request('/?sent')).text()).toBe('?changed yes')
  })

  test('takes headers out of a handler’s answer, and leaves the others', async () => {
    const app = new Hono()
    app.use(doing({ request: ({ responseHeaders }) => void responseHeaders.delete('x-out') }))
    app.get('/', c => c.text('ok', 200, { 'x-out': '1', 'x-in': '1' }))
    const { headers } = await app.request('/')
    expect([headers.get('x-out'), headers.get('x-in')]).toEqual([null, '1'])
  })

  test('lets refusals have the headers that other middleware set in advance', async () => {
    const app = new Hono()
    app.use(cors({ origin: 'https://app.example.com' }))
    app.use(refusing)
    const { status, headers } = await app.request('/', { headers: { origin: 'https://app.example.com' } })
    expect([status, headers.get('x-by')]).toEqual([403, 'policy'])
    expect(headers.get('access-control-allow-origin')).toBe('https://app.example.com')
  })

  test('sees a handler that throws as the answer that Hono makes of it', async () => {
    const seen: number[] = []
    const app = new Hono()
    app.onError((_, c) => c.text('sorry', 500))
    app.use(
      doing({
        response(response) {
          seen.push(response.status)
          return response
        },
      }),
    )
    app.get('/', () => {
      throw new Error('broken')
    })
    expect((await app.request('/')).status).toBe(500)
    expect(seen).toEqual([500])
  })

  test('asks `target` in the place of handlers, as often as the policy likes', async () => {
    let asks = 0
    const app = new Hono<PolicyEnv>()
    app.use(doing({ request: exchange => void Object.assign(exchange, { identity: ANN }) }))
    const twice: Phase = {
      async around(_, next) {
        await next()
        return next()
      },
    }
    app.get(
      '/',
      doing(twice, {
        target: (request, found) => new Response(`${++asks} ${request.method} ${found.identity?.subject}`),
      }),
      () => {
        throw new Error('not asked')
      },
    )
    expect(await (await app.request('/')).text()).toBe('2 GET ann')
  })

  test('fails where handlers would be asked twice, with the way out', async () => {
    const app = new Hono()
    const failures: string[] = []
    app.onError((error, c) => c.text(failures.push(error.message) ? 'failed' : '', 500))
    app.get(
      '/',
      doing({
        async around(_, next) {
          await next()
          return next()
        },
      }),
      c => c.text('ok'),
    )
    expect((await app.request('/')).status).toBe(500)
    expect(failures).toEqual([expect.stringContaining('give the policy a "target"')])
  })

  test('asks handlers in the background after the answer, which stays as it is', async () => {
    const inBackground = Promise.withResolvers<string>()
    const phase: Phase = {
      async around(exchange, next) {
        const asked = exchange.fork(exchange.request)
        asked.isBackground = true
        void next(asked)
          .then(answer => answer.text())
          .then(inBackground.resolve, inBackground.reject)
        return new Response('stored')
      },
    }
    const app = new Hono()
    const outer: string[] = []
    app.use(async (c, next) => {
      await next()
      outer.push(await c.res.clone().text())
    })
    app.use(doing(phase))
    app.get('/', c => c.text('new'))
    expect(await (await app.request('/')).text()).toBe('stored')
    expect(await inBackground.promise).toBe('new')
    expect(outer).toEqual(['stored'])
  })

  test('works without an execution context, and with one gives it what is to go on', async () => {
    const late = Promise.reject(new Error('late'))
    const app = new Hono()
    app.use(doing({ request: ({ services }) => void services.waitUntil(late) }))
    app.get('/', (c: Context) => c.text('ok'))
    expect((await app.request('/')).status).toBe(200)
    const given: unknown[] = []
    const context = { waitUntil: (promise: unknown) => void given.push(promise), passThroughOnException() {} }
    await app.request('/', {}, {}, { ...context, props: {} })
    expect(given).toEqual([late])
  })
})

describe('toTargetMiddleware()', () => {
  const kind = definePolicy({ type: 'again', summary: '', options: v.strictObject({}), create: () => ({}) })

  test('wants a target when it is made', async () => {
    const make = toTargetMiddleware(kind)
    expect(() => make({}, {} as never)).toThrow('again: it needs a "target"')
    expect(() => (make as (options: object) => unknown)({})).toThrow('again: it needs a "target"')
    const app = new Hono().get('/', make({}, { target: () => new Response('from the target') }))
    expect(await (await app.request('/')).text()).toBe('from the target')
  })
})
