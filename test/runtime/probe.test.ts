import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { checkHandlers, toStartupMessage } from '../../runtime/startup-report.ts'
import { type RuntimeHost, type ScriptSource, startRuntimeHost } from '../support/runtime-workerd.ts'

let host: RuntimeHost

beforeAll(async () => {
  host = await startRuntimeHost()
})
afterAll(() => host?.stop())

const serviceWorker = (code: string): ScriptSource => ({
  format: 'service-worker',
  modules: { 'worker.js': ['cjs', code] },
})

describe('probeProgram()', () => {
  test('reports exports and a start time of at least 1 ms', async () => {
    const result = await host.probe('export default { fetch() {} }; export class Plain {}')
    expect(result).toEqual({
      ok: true,
      exports: [
        { name: 'Plain', kind: 'other', handlers: [] },
        { name: 'default', kind: 'handlers', handlers: ['fetch'] },
      ],
      startupTimeMs: expect.any(Number),
    })
    expect(
      result.ok && Number.isInteger(result.startupTimeMs) && result.startupTimeMs,
    ).toBeGreaterThanOrEqual(1)
  })

  test('counts what the top level costs', async () => {
    const busy = 'let x = 0; for (let i = 0; i < 3e7; i++) x += i % 7; export default { fetch: () => x }'
    const [slow, fast] = [await host.probe(busy), await host.probe('export default { fetch() {} }')]
    expect(slow.ok && fast.ok && slow.startupTimeMs - fast.startupTimeMs).toBeGreaterThan(5)
  })

  test('lets top-level code read bindings', async () => {
    const source: ScriptSource = {
      bindings: [{ type: 'plain_text', name: 'TEXT', text: 'text' }],
      modules: {
        'index.js': `import { env } from 'cloudflare:workers'
          if (env.TEXT !== 'text') throw new Error('no binding')
          export default { fetch() {} }`,
      },
    }
    expect(await host.probe(source)).toMatchObject({ ok: true })
  })

  const GLOBAL_SCOPE =
    'Uncaught Error: Disallowed operation called within global scope. Asynchronous I/O (ex: fetch() or connect()), ' +
    'setting a timeout, and generating random values are not allowed within global scope. To fix this error, ' +
    'perform this operation within a handler. https://developers.cloudflare.com/workers/runtime-apis/handlers/'

  test.each<[what: string, source: ScriptSource | string, message: string]>([
    ['a syntax error', 'let x = ;', "Uncaught SyntaxError: Unexpected token ';'\n  at index.js:1:8"],
    [
      'a top-level throw, with its frames',
      'function f() { throw new TypeError("boom") }\n\nf()\nexport default {}',
      'Uncaught TypeError: boom\n  at index.js:1:22 in f\n  at index.js:3:1',
    ],
    [
      'a missing relative import',
      'import "./x.js"',
      'Uncaught Error: No such module "x.js".\n  imported from "index.js"',
    ],
    [
      'a missing package',
      'import "left-pad"',
      'Uncaught Error: No such module "left-pad".\n  imported from "index.js"',
    ],
    [
      'a missing export',
      { modules: { 'index.js': 'import { x } from "./b.js"', 'b.js': 'export const y = 1' } },
      "Uncaught SyntaxError: The requested module './b.js' does not provide an export named 'x'\n  at index.js:1:9",
    ],
    [
      'an export that can not be called',
      'export const a = 1; export default { fetch() {} }',
      "Uncaught TypeError: Incorrect type for map entry 'a': the provided value is not of type 'function or ExportedHandler'.",
    ],
    [
      'a broken WebAssembly module',
      {
        modules: {
          'index.js': 'import "./b.wasm"',
          'b.wasm': ['wasm', new Uint8Array([0, 97, 115, 109, 9, 0, 0, 0])],
        },
      },
      'Uncaught CompileError: WasmModuleObject::Compile(): expected version 01 00 00 00, found 09 00 00 00 @+4',
    ],
    ['a fetch at the top level', 'await fetch("http://site.example")', `${GLOBAL_SCOPE}\n  at index.js:1:7`],
    [
      'a top level that never settles',
      'await new Promise(() => {})',
      'Uncaught Error: Top-level await in module is unsettled.',
    ],
    [
      'broken JSON',
      { modules: { 'index.js': 'import "./x.json"', 'x.json': ['json', '{'] } },
      `The module "x.json" is not valid JSON: Expected property name or '}' in JSON at position 1 (line 1 column 2)`,
    ],
    [
      'a flag that workerd does not know',
      { modules: { 'index.js': 'export default {}' }, compatibilityFlags: ['no_such_flag'] },
      'No such compatibility flag: no_such_flag',
    ],
    [
      'an experimental flag',
      { modules: { 'index.js': 'export default {}' }, compatibilityFlags: ['experimental'] },
      'The compatibility flag experimental is experimental and is not supported here. Remove it.',
    ],
    [
      'flags that contradict one another',
      {
        modules: { 'index.js': 'export default {}' },
        compatibilityFlags: ['nodejs_compat', 'no_nodejs_compat'],
      },
      'Compatibility flags are mutually contradictory: nodejs_compat vs no_nodejs_compat',
    ],
    [
      'a syntax error in service-worker syntax',
      serviceWorker("\n\naddEventListener('fetch' event => {})"),
      'Uncaught SyntaxError: missing ) after argument list\n  at worker.js:3:17',
    ],
    [
      'a throw in service-worker syntax',
      serviceWorker('function f() { throw new TypeError("boom") }\n\nf()'),
      'Uncaught TypeError: boom\n  at worker.js:1:22 in f\n  at worker.js:3:1',
    ],
  ])('reports %s in the words of the runtime', async (_what, source, message) => {
    expect(await host.probe(source)).toEqual({ ok: false, message })
  })

  test.each([['nodejs_compat'], ['rpc'], ['global_navigator']])(
    'accepts the flag %s where the date implies it',
    async flag => {
      const modules = { 'index.js': 'export default { fetch() {} }' }
      expect(await host.probe({ modules, compatibilityFlags: [flag] })).toMatchObject({ ok: true })
    },
  )

  test('finds no exports in a service worker that listens to nothing', async () => {
    expect(await host.probe(serviceWorker('var x = 1'))).toMatchObject({ ok: true, exports: [] })
  })

  test('gives a service worker its wasm, text and data parts as globals', async () => {
    await host.deploy('parts', {
      format: 'service-worker',
      compatibilityDate: '2022-01-01',
      bindings: [
        { type: 'wasm_module', name: 'WASM', part: 'WASM' },
        { type: 'text_blob', name: 'TEXT', part: 'the-text' },
        { type: 'data_blob', name: 'DATA', part: 'DATA' },
      ],
      modules: {
        'worker.js': [
          'cjs',
          `const module = WASM
           addEventListener('fetch', event => event.respondWith(
             new Response([module instanceof WebAssembly.Module, TEXT, DATA.byteLength].join())))`,
        ],
        WASM: ['wasm', new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])],
        'the-text': ['text', 'héllo'],
        DATA: ['data', new Uint8Array(7)],
      },
    })
    expect(await host.run('parts')).toBe('true,héllo,7')
  })
})

describe('checkHandlers()', () => {
  const NOTHING = 'No event handlers were registered. This script does nothing.'

  test.each([
    ['an object with handlers', [{ name: 'default', kind: 'handlers', handlers: ['fetch'] }]],
    ['an entrypoint class without handlers', [{ name: 'Rpc', kind: 'entrypoint', handlers: [] }]],
    ['a Durable Object class', [{ name: 'Room', kind: 'durable-object', handlers: [] }]],
  ] as const)('accepts %s', (_what, exports) => {
    expect(checkHandlers(exports)).toBeUndefined()
  })

  test.each([
    ['nothing', [], NOTHING],
    ['only plain exports', [{ name: 'helper', kind: 'other', handlers: [] }], NOTHING],
    [
      'a plain default export',
      [
        { name: 'default', kind: 'other', handlers: [] },
        { name: 'Room', kind: 'durable-object', handlers: [] },
      ],
      'The default export has no event handlers. Export an object with handlers, such as `export default { fetch(request) {} }`, or a class that extends WorkerEntrypoint.',
    ],
  ] as const)('refuses %s', (_what, exports, message) => {
    expect(checkHandlers(exports)).toBe(message)
  })
})

test('toStartupMessage() leaves out our own frames and no one else’s', () => {
  const text =
    'Failed to start Worker:\nUncaught Error: x\n  at a/__skerry__/b.js:1:1\n  at __skerry__/main.js:4:18'
  expect(toStartupMessage(new Error(text))).toBe('Uncaught Error: x\n  at a/__skerry__/b.js:1:1')
})
