import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { service } from '../../bindings/service/kind.ts'
import type { BindingConfig } from '../../host/config.ts'
import { type RuntimeHost, startRuntimeHost } from '../support/runtime-workerd.ts'

const CALLEE = `
import { RpcTarget, WorkerEntrypoint } from 'cloudflare:workers'
class Counter extends RpcTarget {
  #count = 0
  add(n = 1) { return this.#count += n }
  get count() { return this.#count }
  [Symbol.dispose]() { disposed++ }
}
let disposed = 0
class CustomError extends RangeError { name = 'CustomError' }
export default class extends WorkerEntrypoint {
  async fetch(request) {
    const { pathname } = new URL(request.url)
    if (pathname === '/socket') {
      const [client, server] = Object.values(new WebSocketPair())
      server.accept()
      server.addEventListener('message', event => server.send('echo ' + event.data))
      return new Response(null, { status: 101, webSocket: client })
    }
    if (pathname === '/throw') throw new TypeError('thrown by fetch')
    if (pathname === '/cf') return Response.json(request.cf ?? null)
    return new Response(request.method + ' ' + pathname + ' ' + request.headers.get('x-test') + ' ' + await request.text(),
      { status: 201, headers: { 'x-answer': 'yes' } })
  }
  add(a, b) { return a + b }
  async slow() { await scheduler.wait(5); return 'slow' }
  get property() { return 'a property' }
  counter() { return new Counter() }
  get counterProperty() { return new Counter() }
  nested() { return { counter: new Counter(), call: x => 'called ' + x, plain: { deep: [1, 2] } } }
  async callBack(f) { return 'callback gave ' + await f('argument') }
  async useTarget(target) { return await target.add(5) }
  fn() { return x => x * 2 }
  stream() { return new ReadableStream({ start(c) { c.enqueue(new TextEncoder().encode('streamed')); c.close() } }) }
  async readStream(stream) { return 'read ' + await new Response(stream).text() }
  response() { return new Response('a response', { headers: { 'x-a': 'b' } }) }
  async request(request) { return request.method + ' ' + request.url + ' ' + await request.text() }
  values() { return { date: new Date(0), map: new Map([[1, 2]]), set: new Set([3]), bytes: new Uint8Array([4]), big: 5n, undef: undefined, nul: null, re: /x/g } }
  throwType() { throw new TypeError('a type error') }
  throwCustom() { throw new CustomError('a custom error') }
  throwString() { throw 'a string' }
  throwProps() { throw Object.assign(new Error('with properties'), { code: 42 }) }
  reject() { return Promise.reject(new RangeError('rejected')) }
  arguments() { return [...arguments].length }
  echo(x) { return x }
  disposed() { return disposed }
  waits() { this.ctx.waitUntil(scheduler.wait(1)); return 'waits' }
  props() { return this.ctx.props }
  #hidden() {}
  own = 'own field'
}
export class Named extends WorkerEntrypoint {
  hello() { return 'named ' + JSON.stringify(this.ctx.props) }
  fetch() { return new Response('named fetch') }
}
export const Plain = { fetch: () => new Response('plain object') }
`

/** Each check runs in the caller, with \`s\` the binding; what it gives or throws is compared. */
const CHECKS = {
  'plain arguments': 's.add(1, 2)',
  'an async method': 's.slow()',
  'a property': 's.property',
  'a method of a returned target': '(await s.counter()).add(2)',
  'pipelining through a call': 's.counter().add(3)',
  'pipelining through several':
    '(async () => { const c = s.counter(); await c.add(1); return [await c.add(1), await c.count] })()',
  'a nested target and function':
    '(async () => { const n = await s.nested(); return [await n.counter.add(4), await n.call("x"), n.plain] })()',
  'pipelining into a nested target': 's.nested().counter.add(6)',
  'pipelining into nested data': 's.nested().plain.deep',
  'a callback': 's.callBack(async x => "got " + x)',
  'a target of the caller': 's.useTarget(new (class extends RpcTarget { add(n) { return n + 100 } })())',
  'a returned function': '(await s.fn())(21)',
  'a returned stream': 'new Response(await s.stream()).text()',
  'a stream argument': 's.readStream(new Response("body").body)',
  'a returned Response':
    '(async () => { const r = await s.response(); return [r.status, r.headers.get("x-a"), await r.text()] })()',
  'a Request argument': 's.request(new Request("http://x/y", { method: "POST", body: "b" }))',
  'structured values':
    '(async () => { const v = await s.values(); return [v.date.toISOString(), [...v.map], [...v.set], [...v.bytes], String(v.big), "undef" in v, v.nul, String(v.re)] })()',
  'a thrown TypeError': 's.throwType()',
  'a thrown custom error': 's.throwCustom()',
  'a thrown string': 's.throwString()',
  'a thrown error with properties':
    's.throwProps().catch(e => { throw Object.assign(new Error(e.message), { name: String(e.code) }) })',
  'a rejected promise': 's.reject()',
  'many arguments': 's.arguments(1, 2, 3, 4, 5)',
  'undefined and null': '(async () => [await s.echo(undefined) === undefined, await s.echo(null)])()',
  'a large string': '(await s.echo("x".repeat(1e6))).length',
  'a value that can not be sent': 's.echo(Symbol("x"))',
  'an own field': 's.own',
  'a missing method': 's.noSuchMethod()',
  'a private-looking name': 's["#hidden"]()',
  'the constructor': 's.constructor.name',
  'a method named env': 's.env',
  'a method named ctx': 's.ctx',
  waitUntil: 's.waits()',
  fetch:
    '(async () => { const r = await s.fetch("http://h/path", { method: "PUT", headers: { "x-test": "t" }, body: "b" }); return [r.status, r.headers.get("x-answer"), await r.text()] })()',
  'fetch with cf': '(await s.fetch("http://h/cf", { cf: { country: "XX" } })).json()',
  'fetch that throws': 's.fetch("http://h/throw")',
  'a WebSocket': `(async () => { const { webSocket, status } = await s.fetch("http://h/socket", { headers: { upgrade: "websocket" } })
    webSocket.accept()
    const answer = new Promise(resolve => webSocket.addEventListener("message", event => resolve(event.data)))
    webSocket.send("hi")
    return [status, await answer] })()`,
  'props of a binding without': 's.props()',
  'a stub passed on': '(async () => { const c = await s.counter(); return await s.useTarget(c) })()',
  'calls at once': 'Promise.all([s.add(1, 1), s.add(2, 2), s.slow()])',
  'a named entrypoint': 'n.hello()',
  'fetch of a named entrypoint': '(await n.fetch("http://h/")).text()',
  'fetch of a plain object': '(await p.fetch("http://h/")).text()',
}

const CALLER = `
import { RpcTarget } from 'cloudflare:workers'
const CHECKS = { ${Object.entries(CHECKS)
  .map(([name, code]) => `${JSON.stringify(name)}: async (s, n, p) => ${code}`)
  .join(',\n')} }
export default { async fetch(request, env) {
  const check = CHECKS[decodeURIComponent(new URL(request.url).search.slice(1))]
  try { return Response.json({ result: await check(env.SVC, env.NAMED, env.PLAIN) }) }
  catch (e) { return Response.json({ thrown: [e?.name, e?.message, e instanceof Error, e instanceof TypeError, e instanceof RangeError], value: typeof e === 'string' ? e : null }) }
} }
`

let host: RuntimeHost

beforeAll(async () => {
  const entrypoint = (name: string, entry: string, props?: object) =>
    // The platform's own configurations never need an entrypoint or props of a service.
    ({
      name,
      service: {
        name: 'callee',
        entrypoint: entry,
        ...(props && { props: { json: JSON.stringify(props) } }),
      },
    }) as unknown as BindingConfig
  host = await startRuntimeHost({
    workers: {
      callee: { modules: { 'worker.js': CALLEE } },
      caller: {
        modules: { 'worker.js': CALLER },
        bindings: [
          { name: 'SVC', service: 'callee' },
          entrypoint('NAMED', 'Named', { team: 'a' }),
          entrypoint('PLAIN', 'Plain'),
        ],
      },
    },
  })
  await host.deploy('callee', CALLEE)
  await host.deploy('caller', {
    modules: { 'index.js': CALLER },
    bindings: [
      { type: 'service', name: 'SVC', service: 'callee' },
      { type: 'service', name: 'NAMED', service: 'callee', entrypoint: 'Named', props: { team: 'a' } },
      { type: 'service', name: 'PLAIN', service: 'callee', entrypoint: 'Plain' },
    ],
  })
})
afterAll(() => host?.stop())

describe.each([
  ['at once', 0],
  ['after a breath', 11],
])('ServiceEntrypoint forwards %s as a static service binding does', (_when, pauseMs) => {
  test.each(Object.keys(CHECKS))('%s', async name => {
    const query = `/?${encodeURIComponent(name)}`
    const native = JSON.parse(await host.runNative('caller', query))
    await delay(pauseMs)
    expect(JSON.parse(await host.run('caller', query))).toEqual(native)
    expect(native).toSatisfy((answer: object) => 'result' in answer || 'thrown' in answer)
  })
})

describe('ServiceEntrypoint', () => {
  const call = async (name: string, code: string, target: string, entrypoint?: string) => {
    await host.deploy(name, {
      modules: {
        'index.js': `export default { async fetch(r, env) {
          try { return new Response(await (${code})(env.SVC)) } catch (e) { return new Response(e.name + ': ' + e.message) } } }`,
      },
      bindings: [{ type: 'service', name: 'SVC', service: target, ...(entrypoint && { entrypoint }) }],
    })
    return host.run(name)
  }

  test.each([
    ['rpc', 's => s.add(1, 2)'],
    ['fetch', 's => s.fetch("http://x/").then(r => r.text())'],
  ])('says that the target is not there, by %s', async (verb, code) => {
    expect(await call(`lost-${verb}`, code, 'nowhere')).toBe('Error: Worker "nowhere" not found.')
  })

  test('follows the target when it is deployed again', async () => {
    await host.deploy('moving', 'export default { fetch: () => new Response("old") }')
    const code = 's => s.fetch("http://x/").then(r => r.text())'
    expect(await call('follower', code, 'moving')).toBe('old')
    await host.deploy('moving', 'export default { fetch: () => new Response("new") }')
    expect(await host.run('follower')).toBe('new')
  })

  const LOOPS = {
    'calls another without end': 'while (Date.now() < end) await s.add(1, 2)',
    'fetches from another without end': 'while (Date.now() < end) await (await s.fetch("http://x/")).text()',
    'calls another without end, fifty times at once':
      'await Promise.all(Array.from({ length: 50 }, async () => { while (Date.now() < end) await s.add(1, 2) }))',
    'calls another a thousand times at once':
      'while (Date.now() < end) await Promise.all(Array.from({ length: 1000 }, () => s.add(1, 2)))',
  }

  test.each(Object.entries(LOOPS))('lets others be served while a function %s', async (what, loop) => {
    const name = `loop-${what.replaceAll(/\W+/g, '-')}`
    let isOver = false
    const looping = call(
      name,
      `async s => { const end = Date.now() + 700; ${loop}; return 'over' }`,
      'callee',
    )
    const over = looping.finally(() => {
      isOver = true
    })
    const latenciesMs: number[] = []
    while (!isOver) {
      const startedAtMs = performance.now()
      expect(await host.run('callee', '/x')).toMatch(/^201 /)
      latenciesMs.push(performance.now() - startedAtMs)
    }
    expect(await over).toBe('over')
    // One that starves its process would let one or two through, at the end.
    expect(latenciesMs.length).toBeGreaterThan(5)
    expect(latenciesMs.toSorted((a, b) => a - b)[Math.floor(latenciesMs.length / 2)]).toBeLessThan(150)
  })

  test('answers every one of a thousand calls at once', async () => {
    const code = `async s => (await Promise.all(Array.from({ length: 1000 }, (_, i) => s.add(i, 1)))).reduce((a, b) => a + b)`
    expect(await call('thousand', code, 'callee')).toBe('500500')
  })

  test('never reaches the platform’s own entrypoint', async () => {
    const code = 's => s.evict()'
    expect(await call('burglar', code, 'callee', 'SkerryHarness')).toBe('Error: Worker "callee" not found.')
  })
})

describe('service.parse()', () => {
  test.each([
    [{ service: 'api' }, { service: 'api' }],
    [{ service: 'api', environment: 'production', entrypoint: 'default' }, { service: 'api' }],
    [
      { service: 'api', entrypoint: 'Admin', props: { a: 1 } },
      { service: 'api', entrypoint: 'Admin', props: { a: 1 } },
    ],
  ])('takes %j', (input, expected) => {
    expect(service.parse(input, 'SVC')).toEqual({ type: 'service', name: 'SVC', ...expected })
  })

  test.each([
    [{}, '`service` is missing'],
    [{ service: '' }, '`service` is ""'],
    [{ service: 'api', entrypoint: 5 }, '`entrypoint` is 5'],
    [{ service: 'api', entrypoint: 'SkerryHarness' }, 'reserved'],
    [{ service: 'api', props: [] }, '`props` is an array'],
    [{ service: 'api', props: null }, '`props` is null'],
  ])('refuses %j', (input, problem) => {
    expect(() => service.parse(input, 'SVC')).toThrow(
      expect.objectContaining({ code: 'ERR_BINDING_INVALID', detail: expect.stringContaining(problem) }),
    )
  })
})
