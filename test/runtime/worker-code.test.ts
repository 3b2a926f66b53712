import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RuntimeHost, type ScriptSource, startRuntimeHost } from '../support/runtime-workerd.ts'

const DATES = ['2021-11-01', '2022-01-01', '2024-01-01', '2026-11-01'] as const
const EMPTY_WASM = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])

let host: RuntimeHost
let scripts = 0

beforeAll(async () => {
  host = await startRuntimeHost()
})
afterAll(() => host?.stop())

async function deploy(source: ScriptSource | string): Promise<string> {
  const name = `script-${++scripts}`
  await host.deploy(name, source)
  return name
}

describe.each(DATES)('toWorkerCode(), compatibility date %s', compatibilityDate => {
  const at = (modules: ScriptSource['modules'], more: Partial<ScriptSource> = {}): ScriptSource => ({
    compatibilityDate,
    bindings: [
      { type: 'plain_text', name: 'TEXT', text: 'text' },
      { type: 'json', name: 'JSON_VAR', json: { a: [1] } },
      { type: 'version_metadata', name: 'VERSION' },
    ],
    ...more,
    modules,
  })
  const WORKERS = `import { WorkerEntrypoint, DurableObject, WorkflowEntrypoint, env } from 'cloudflare:workers'\n`

  test.each<[shape: string, code: string, answer: string]>([
    ['a default object', 'export default { fetch: (r, env) => new Response(env.TEXT) }', 'text'],
    [
      'a default entrypoint class',
      `${WORKERS}export default class extends WorkerEntrypoint { fetch() { return new Response(this.env.TEXT) } }`,
      'text',
    ],
    [
      'top-level await',
      'const v = await Promise.resolve("v"); export default { fetch: () => new Response(v) }',
      'v',
    ],
    [
      'the importable env at the top level',
      `${WORKERS}const v = env.TEXT; export default { fetch: () => new Response(v) }`,
      'text',
    ],
    [
      'JSON and version variables',
      'export default { fetch: (r, env) => Response.json([env.JSON_VAR, env.VERSION]) }',
      '[{"a":[1]},{"id":"version-1","tag":"tag-1","timestamp":"2026-11-01T00:00:00.000000Z"}]',
    ],
    [
      'an object whose handlers are inherited',
      'class App { fetch() { return new Response(this.x) } x = "x" }; export default new App()',
      'x',
    ],
  ])('runs %s', async (_shape, code, answer) => {
    expect(await host.run(await deploy(at({ 'index.js': code })))).toBe(answer)
  })

  test('runs named objects and classes, and keeps classes that it does not run', async () => {
    const name = await deploy(
      at({
        'index.js': `${WORKERS}
          export class Named extends WorkerEntrypoint { fetch() { return new Response('class ' + this.env.TEXT) } }
          export const Other = { fetch: () => new Response('object') }
          export class Room extends DurableObject { alarm() {} }
          export class Flow extends WorkflowEntrypoint { run() {} }
          export class Plain {}
          export default { fetch: () => new Response('default') }`,
      }),
    )
    const answers = [undefined, 'Named', 'Other'].map(entrypoint =>
      host.run(name, '/', entrypoint ? { headers: { entrypoint } } : {}),
    )
    expect(await Promise.all(answers)).toEqual(['default', 'class text', 'object'])
    expect(await host.call('describe', name)).toEqual([
      { name: 'Flow', kind: 'workflow', handlers: [] },
      { name: 'Named', kind: 'entrypoint', handlers: ['fetch'] },
      { name: 'Other', kind: 'handlers', handlers: ['fetch'] },
      { name: 'Plain', kind: 'other', handlers: [] },
      { name: 'Room', kind: 'durable-object', handlers: ['alarm'] },
      { name: 'default', kind: 'handlers', handlers: ['fetch'] },
    ])
  })

  test('without a default export runs named ones, and lets no request through to the network', async () => {
    const name = await deploy(at({ 'index.js': `export const Only = { fetch: () => new Response('only') }` }))
    expect(await host.run(name, '/', { headers: { entrypoint: 'Only' } })).toBe('only')
    expect(await host.run(name)).toBe('500 Error: Handler does not export a fetch() function.')
  })

  test('loads each kind of module, statically and dynamically, by relative and bare name', async () => {
    const name = await deploy(
      at({
        'src/index.js': `
          import text from './text.txt'
          import data from '../data.bin'
          import json from './data.json'
          import wasm from './empty.wasm?module'
          import cjs from './lib.cjs'
          import bare from 'bare'
          import hashed from '../5ea1-file.txt'
          export default { async fetch() {
            const { dynamic } = await import('./lib/dynamic.js')
            return Response.json([text, data.byteLength, json.x, wasm instanceof WebAssembly.Module, cjs.y, bare, hashed, dynamic])
          } }`,
        'src/text.txt': ['text', 'héllo'],
        'data.bin': ['data', new Uint8Array([1, 2, 3])],
        'src/data.json': ['json', '{"x": 1}'],
        'src/empty.wasm?module': ['wasm', EMPTY_WASM],
        // Before 2022-10-31 require() gave a namespace.
        'src/lib.cjs': [
          'cjs',
          'const other = require("./other.cjs"); exports.y = (other.default ?? other).z',
        ],
        'src/other.cjs': ['cjs', 'exports.z = "cjs"'],
        'src/lib/dynamic.js': 'export const dynamic = "dynamic"',
        'src/bare': 'export default "bare"',
        './5ea1-file.txt': ['text', 'hashed'],
        'src/index.js.map': ['source-map', 'not even JSON'],
      }),
    )
    expect(JSON.parse(await host.run(name))).toEqual([
      'héllo',
      3,
      1,
      true,
      'cjs',
      'bare',
      'hashed',
      'dynamic',
    ])
  })

  test('runs a CommonJS main module and its named exports', async () => {
    const name = await deploy(
      at({
        'index.cjs': [
          'cjs',
          `module.exports = { a: 1, fetch: () => new Response('main'), Named: { fetch: () => new Response('named') } }`,
        ],
      }),
    )
    expect(await host.run(name)).toBe('main')
    expect(await host.run(name, '/', { headers: { entrypoint: 'Named' } })).toBe('named')
  })

  test('keeps our entrypoint when a user exports its name, and modules out of reach', async () => {
    const name = await deploy(
      at({
        'index.js': `
          export const SkerryHarness = { fetch: () => new Response('theirs') }
          export const createHarness = { fetch: () => new Response('theirs') }
          export const user = { fetch: () => new Response('user') }
          export default { fetch: () => new Response('default') }`,
      }),
    )
    expect(await host.run(name)).toBe('default')
    expect(await host.run(name, '/', { headers: { entrypoint: 'user' } })).toBe('user')
    expect(await host.run(name, '/', { headers: { entrypoint: 'SkerryHarness' } })).toMatch(/^500 /)
    expect(await host.call('describe', name)).toHaveLength(4)
  })

  test('gives KV-like methods of a stub their meaning', async () => {
    await deploy(at({ 'index.js': 'export default { fetch: () => new Response("over HTTP") }' }))
    await host.deploy(
      'store',
      `import { WorkerEntrypoint } from 'cloudflare:workers'
       export default class extends WorkerEntrypoint { get(key) { return 'value of ' + key } }`,
    )
    const name = await deploy(
      at(
        { 'index.js': 'export default { fetch: async (r, env) => new Response(await env.STORE.get("a")) }' },
        { bindings: [{ type: 'service', name: 'STORE', service: 'store' }] },
      ),
    )
    expect(await host.run(name)).toBe('value of a')
  })
})

test('toWorkerCode() adds less than 10 KB, and leaves modules as they are', async () => {
  const source = '// a comment\nexport default {  fetch() { return new Response() }  }'
  const modules = await host.call<Record<string, { js: string }>>('code', await deploy(source))
  expect(modules['index.js']?.js).toBe(source)

  const script = await deploy({
    format: 'service-worker',
    modules: { 'index.js': ['cjs', 'addEventListener("fetch", () => {})'] },
  })
  const { 'index.js': _, ...added } = await host.call<Record<string, { js: string }>>('code', script)
  const bytes = Object.values(added).reduce((sum, { js }) => sum + Buffer.byteLength(js), 0)
  expect(bytes).toBeLessThan(10_000)
})

test('nodejs_compat works where it is asked for, and process.env follows variables', async () => {
  const name = await deploy({
    compatibilityDate: '2025-09-01',
    compatibilityFlags: ['nodejs_compat'],
    bindings: [{ type: 'plain_text', name: 'TEXT', text: 'text' }],
    modules: {
      'index.js': `import { Buffer } from 'node:buffer'
        export default { fetch: () => new Response(Buffer.from(process.env.TEXT).toString('hex')) }`,
    },
  })
  expect(await host.run(name)).toBe(Buffer.from('text').toString('hex'))
})

test('a function that fails after passThroughOnException() sends its request to the outbound', async () => {
  const name = await deploy(
    'export default { fetch(r, env, ctx) { ctx.passThroughOnException(); throw new Error("failed") } }',
  )
  expect(await host.run(name, '/path', { method: 'POST', body: 'body' })).toBe('origin POST /path body')
})

test('work passed to waitUntil() goes on after the response', async () => {
  const name = await deploy(`
    let state = 'pending'
    export default { fetch(request, env, ctx) {
      if (request.url.endsWith('/state')) return new Response(state)
      ctx.waitUntil(scheduler.wait(50).then(() => { state = 'done' }))
      return new Response('answered')
    } }`)
  expect(await host.run(name)).toBe('answered')
  await expect.poll(() => host.run(name, '/state')).toBe('done')
})
