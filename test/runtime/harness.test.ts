import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ExportRef } from '../../src/core/manifest.ts'
import type { EventResult } from '../../src/core/outcome.ts'
import { type RuntimeHost, startRuntimeHost } from '../support/runtime-workerd.ts'

let host: RuntimeHost
let scripts = 0

beforeAll(async () => {
  host = await startRuntimeHost()
})
afterAll(() => host?.stop())

async function deploy(code: string): Promise<string> {
  const name = `script-${++scripts}`
  await host.deploy(name, code)
  return name
}

const COUNTER = 'let count = 0; export default { fetch: () => new Response(String(++count)) }'

/** Ways to get at what the harness uses, each at the top level of the user's module. */
const HOSTILE: readonly [what: string, code: string][] = [
  ['timers', 'setTimeout = () => {}; setInterval = setTimeout; scheduler.wait = () => new Promise(() => {})'],
  [
    'promises',
    `Promise.prototype.then = () => {}; Promise.prototype.finally = () => {}; Promise.resolve = () => {}
     globalThis.Promise = class {}`,
  ],
  [
    'the base class',
    `WorkerEntrypoint.prototype.evict = () => true; WorkerEntrypoint.prototype.describe = () => '[]'
     Object.defineProperty(WorkerEntrypoint, Symbol.hasInstance, { value: () => false })
     try { Object.setPrototypeOf(WorkerEntrypoint.prototype, { evict() {}, describe() { return '[]' } }) } catch {}`,
  ],
  [
    'Object and Array',
    `const then = function () { return this instanceof Response ? undefined : f => f('[]') }
     Object.defineProperty(Object.prototype, 'then', { get: then })
     Object.prototype.toJSON = () => '[]'
     Array.prototype.toJSON = () => '[]'; Array.prototype[Symbol.iterator] = function* () {}
     Object.defineProperty(Array.prototype, 0, { set() {}, get() { return 'x' }, configurable: true })
     Object.keys = Object.getOwnPropertyNames = Object.getPrototypeOf = () => []`,
  ],
  [
    'Reflect and JSON',
    'for (const key of Reflect.ownKeys(Reflect)) try { Reflect[key] = () => [] } catch {}; JSON.stringify = () => "[]"',
  ],
  [
    'strings',
    'for (const key of Object.getOwnPropertyNames(String.prototype)) try { String.prototype[key] = () => "" } catch {}',
  ],
  [
    'the execution context',
    `const prototype = globalThis.ExecutionContext?.prototype
     if (prototype) prototype.waitUntil = () => {}`,
  ],
  ['functions', 'Function.prototype.call = Function.prototype.apply = Function.prototype.bind = () => {}'],
  ['errors', 'globalThis.Error = class {}; Object.prototype.stack = "stack"'],
  [
    'our own module',
    `try { const ours = await import('./__skerry__/harness.js'); ours.createHarness({}).prototype.evict = () => true } catch {}
     try { const main = await import('./__skerry__/main.js'); main.SkerryHarness.prototype.evict = () => true } catch {}
     `,
  ],
]

describe.each(HOSTILE)('with %s replaced by user code', (_what, code) => {
  const source = `import { WorkerEntrypoint } from 'cloudflare:workers'\n${code}\n${COUNTER}`

  test('evictIsolate() ends the isolate', async () => {
    const name = await deploy(source)
    expect(await host.run(name)).toBe('1')
    expect(await host.run(name)).toBe('2')
    const loads = await host.loads()
    await host.call('evict', name)
    await expect.poll(() => host.run(name)).toMatch(/^1$/)
    expect(await host.loads()).toBe(loads + 1)
  })

  test('describeExports() still tells the truth', async () => {
    expect(await host.call('describe', await deploy(source))).toEqual([
      { name: 'default', kind: 'handlers', handlers: ['fetch'] },
    ])
  })
})

test('evictIsolate() lets a request that runs finish', async () => {
  const name = await deploy(`
    let release; let started
    export default { async fetch(request) {
      if (request.url.endsWith('/state')) return new Response(started ? 'started' : 'idle')
      started = true
      await scheduler.wait(150)
      return new Response('finished')
    } }`)
  const slow = host.run(name, '/slow')
  await expect.poll(() => host.run(name, '/state')).toBe('started')
  await host.call('evict', name)
  expect(await slow).toBe('finished')
  await expect.poll(() => host.run(name, '/state')).toBe('idle')
})

describe('describeExports()', () => {
  test.each<[what: string, code: string, expected: ExportRef]>([
    [
      'names every handler',
      'export default { fetch() {}, scheduled() {}, queue() {}, email() {}, other() {} }',
      { name: 'default', kind: 'handlers', handlers: ['fetch', 'scheduled', 'queue', 'email'] },
    ],
    [
      'finds handlers of a class instance',
      'class Base { scheduled() {} }; class App extends Base { fetch = () => {} }; export default new App()',
      { name: 'default', kind: 'handlers', handlers: ['fetch', 'scheduled'] },
    ],
    [
      'finds only fetch in a Proxy that answers to every name',
      'export default new Proxy({}, { get: () => () => new Response() })',
      { name: 'default', kind: 'handlers', handlers: ['fetch'] },
    ],
    [
      'survives a getter that throws',
      'export default { get fetch() { throw new Error() } , scheduled() {} }',
      { name: 'default', kind: 'other', handlers: [] },
    ],
    [
      'sees an entrypoint class behind another',
      `import { WorkerEntrypoint } from 'cloudflare:workers'
       class Base extends WorkerEntrypoint { fetch() {} }; export default class extends Base { method() {} }`,
      { name: 'default', kind: 'entrypoint', handlers: ['fetch'] },
    ],
    [
      'calls a plain class other',
      'export default class { fetch() {} }',
      { name: 'default', kind: 'other', handlers: [] },
    ],
    ['calls a function other', 'export default () => {}', { name: 'default', kind: 'other', handlers: [] }],
    ['calls an empty object other', 'export default {}', { name: 'default', kind: 'other', handlers: [] }],
  ])('%s', async (_what, code, expected) => {
    expect(await host.probe(code)).toMatchObject({ ok: true, exports: [expected] })
  })
})

describe('callScheduled()', () => {
  const CLASS = `import { WorkerEntrypoint, waitUntil } from 'cloudflare:workers'\n`

  test.each<[what: string, code: string, expected: EventResult]>([
    ['reports ok', 'export default { scheduled() {} }', { outcome: 'ok', noRetry: false }],
    [
      'reports noRetry()',
      'export default { scheduled(controller) { controller.noRetry() } }',
      { outcome: 'ok', noRetry: true },
    ],
    [
      'reports what the handler throws',
      'export default { scheduled() { throw new TypeError("bad") } }',
      {
        outcome: 'exception',
        noRetry: false,
        error: 'TypeError: bad\n    at Object.scheduled (index.js:1:38)',
      },
    ],
    [
      'runs a class',
      `${CLASS}export default class extends WorkerEntrypoint { scheduled(c) { c.noRetry(this.ctx.waitUntil, this.env) } }`,
      { outcome: 'ok', noRetry: true },
    ],
    [
      'reports a rejection of work that waits',
      'export default { scheduled(c, env, ctx) { ctx.waitUntil(scheduler.wait(20).then(() => { throw "late" })) } }',
      { outcome: 'exception', noRetry: false, error: 'late' },
    ],
    [
      'waits for work that adds work',
      `export default { scheduled(c, env, ctx) {
         ctx.waitUntil(scheduler.wait(10).then(() => ctx.waitUntil(scheduler.wait(10).then(() => c.noRetry())))) } }`,
      { outcome: 'ok', noRetry: true },
    ],
    [
      'reports a missing handler',
      'export default { fetch() {} }',
      {
        outcome: 'exception',
        noRetry: true,
        error: 'Error: Handler does not export a scheduled() function.',
      },
    ],
  ])('%s', async (_what, code, expected) => {
    const name = await deploy(code)
    expect(await host.call('scheduled', name)).toEqual(expected)
    // The portable way is only for hosts without the native one: both must agree.
    const { outcome, noRetry } = expected
    expect(await host.call('native-scheduled', name)).toMatchObject({ outcome, noRetry })
  })

  test('gives the handler cron, time and type', async () => {
    const name = await deploy(`
      let seen
      export default {
        scheduled(c, env, ctx) { seen = [c.cron, c.scheduledTime, c.type, typeof ctx.waitUntil, Object.isFrozen(c)] },
        fetch: () => Response.json(seen),
      }`)
    await host.call('scheduled', name)
    expect(JSON.parse(await host.run(name))).toEqual(['* * * * *', 60_000, 'scheduled', 'function', true])
  })

  test('runs a listener of service-worker syntax', async () => {
    await host.deploy('sw-cron', {
      format: 'service-worker',
      modules: {
        'worker.js': [
          'cjs',
          `let seen
           addEventListener('fetch', event => event.respondWith(Response.json(seen)))
           addEventListener('scheduled', event => {
             event.waitUntil(scheduler.wait(10).then(() => event.noRetry()))
             seen = [event.type, event.cron, event.scheduledTime, event instanceof ScheduledEvent]
           })`,
        ],
      },
    })
    expect(await host.call('scheduled', 'sw-cron')).toEqual({ outcome: 'ok', noRetry: true })
    expect(JSON.parse(await host.run('sw-cron'))).toEqual(['scheduled', '* * * * *', 60_000, true])
  })
})
