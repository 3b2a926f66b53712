import { toIsolateId } from '../../src/core/isolate-id.ts'
import { startWorkerd, type Workerd } from '../support/workerd.ts'

/** The loader's id of the function `script` of these tests. */
export const idOf = (script: string): string =>
  toIsolateId({ accountId: 'a'.repeat(32), script, turnMs: 500, digest: 'd1g3st.p1' })

/** Starts a workerd with a loader; each of its functions can do all that is in `HANGS`, and `/short`, `/pauses`, `/relay`. */
export function startFunctions(): Promise<Workerd> {
  return startWorkerd({
    modules: { 'gateway.js': GATEWAY },
    bindings: [
      { name: 'FUNCTION', text: FUNCTION },
      { name: 'LOADER', workerLoader: { id: 'functions' } },
    ],
  })
}

/** Requests a function; it never answers if it hangs, and nobody has to wait for it. */
export function request(workerd: Workerd, script: string, path: string, peer = 'peer'): Promise<Response> {
  const answer = workerd.fetch(path, { headers: { script: idOf(script), peer: idOf(peer) } })
  answer.catch(() => {})
  return answer
}

/** Makes `script` hang in one way; what it returns may never settle. */
export type Hang = (workerd: Workerd, script: string) => unknown

const get =
  (path: string): Hang =>
  (workerd, script) =>
    request(workerd, script, path)

/** Ways in which a function can keep the thread, by what it does. */
export const HANGS: Readonly<Record<string, Hang>> = {
  'an empty loop': get('/loop'),
  'an optimised loop': get('/optimised'),
  'a WebAssembly loop': get('/wasm'),
  'a regular expression that backtracks': get('/regexp'),
  'JSON.parse': get('/json'),
  'microtasks without end': get('/microtasks'),
  'a loop deep in recursion': get('/deep'),
  'recursion without end, caught': get('/overflow'),
  'exceptions thrown and caught': get('/exceptions'),
  'hashing with node:crypto': get('/hash'),
  'random values': get('/random'),
  'building strings': get('/strings'),
  'allocating ArrayBuffers': get('/buffers'),
  'a growing array, mostly garbage collection': get('/grow'),
  structuredClone: get('/clone'),
  'console.log': get('/log'),
  'Date.now': get('/clock'),
  'a loop after an await on a timer': get('/after-await'),
  'a timer in waitUntil, after the response': get('/later'),
  'a stream transform': get('/transform'),
  'a loop while the body is read': get('/body'),
  'the top level of its module': get('/?module=hangs'),
  'a constructor of its entrypoint': get('/?entrypoint=Hangs'),
  'a WebSocket message': async (workerd, script) => {
    const socket = new WebSocket(`${workerd.url.replace('http', 'ws')}/socket?script=${idOf(script)}`)
    await new Promise(resolve => socket.addEventListener('open', resolve))
    socket.send('go')
  },
  'a method that another function called': (workerd, script) => request(workerd, 'caller', '/call', script),
  'a stream that another function reads': (workerd, script) => request(workerd, 'caller', '/read', script),
}

const GATEWAY = `
import { WorkerEntrypoint } from 'cloudflare:workers'

const load = (id, url, env, ctx, peer) => env.LOADER.get(id, () => ({
  compatibilityDate: '2026-11-01',
  mainModule: 'index.js',
  modules: { 'index.js': url.searchParams.get('module') === 'hangs' ? 'for (;;) {}' : env.FUNCTION, 'loop.wasm': LOOP },
  env: { PEER: ctx.exports.Peer({ props: { id: peer } }) },
  globalOutbound: null,
}))

// (module (func (export "run") (loop (br 0))))
const LOOP = { wasm: new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 7, 7, 1, 3,
  114, 117, 110, 0, 0, 10, 9, 1, 7, 0, 3, 64, 12, 0, 11, 11]).buffer }

export class Peer extends WorkerEntrypoint {
  #stub() {
    return load(this.ctx.props.id, new URL('http://peer/'), this.env, this.ctx, this.ctx.props.id).getEntrypoint()
  }
  hang() { return this.#stub().hang() }
  hangingStream() { return this.#stub().hangingStream() }
}

export default {
  async fetch(request, env, ctx) {
    const url = new URL(request.url)
    const id = request.headers.get('script') ?? url.searchParams.get('script')
    if (url.pathname === '/gateway') for (;;) {}
    return load(id, url, env, ctx, request.headers.get('peer'))
      .getEntrypoint(url.searchParams.get('entrypoint') ?? undefined).fetch(request)
  },
}`

const FUNCTION = `
import { WorkerEntrypoint } from 'cloudflare:workers'
import { createHash } from 'node:crypto'
import wasm from 'loop.wasm'

const hang = () => { for (;;) {} }
const busy = ms => { const end = Date.now() + ms; while (Date.now() < end) {} }
const hangingStream = () => new ReadableStream({ pull() { hang() } })

const ways = {
  '/loop': hang,
  '/optimised'() { let sum = 0; for (let i = 0; ; i = (i + 1) % 1000) sum += Math.sqrt(i) },
  '/wasm'() { new WebAssembly.Instance(wasm).exports.run() },
  '/regexp'() { /^(a+)+$/.test('a'.repeat(40) + 'b') },
  '/json'() { const text = JSON.stringify(Array.from({ length: 3e5 }, (_, i) => ({ i }))); for (;;) JSON.parse(text) },
  async '/microtasks'() { for (;;) await null },
  '/deep'() { const down = n => (n === 0 ? hang() : down(n - 1) + 1); down(3000) },
  '/overflow'() { const down = () => down() + 1; for (;;) try { down() } catch {} },
  '/exceptions'() { for (;;) try { null.x } catch {} },
  '/hash'() { const bytes = new Uint8Array(1e6); for (;;) createHash('sha256').update(bytes).digest() },
  '/random'() { const bytes = new Uint8Array(65536); for (;;) crypto.getRandomValues(bytes) },
  '/strings'() { for (;;) { let text = ''; for (let i = 0; i < 1e5; i++) text += i; text.indexOf('x') } },
  '/buffers'() { for (;;) new ArrayBuffer(1e6) },
  '/grow'() { for (;;) { const list = []; for (let i = 0; i < 3e6; i++) list.push({ i }) } },
  '/clone'() { const value = Array.from({ length: 1e4 }, (_, i) => ({ i })); for (;;) structuredClone(value) },
  '/log'() { for (;;) console.log('x'.repeat(100)) },
  '/clock'() { for (;;) Date.now() },
  async '/after-await'() { await scheduler.wait(20); hang() },
  '/later'(request, env, ctx) {
    ctx.waitUntil(scheduler.wait(20).then(hang))
    return new Response('later')
  },
  '/transform'() {
    const { readable, writable } = new TransformStream({ transform: hang })
    const writer = writable.getWriter()
    writer.write('x')
    return new Response(readable.pipeThrough(new TextEncoderStream()))
  },
  '/body'() { return new Response(hangingStream()) },
  '/socket'() {
    const { 0: client, 1: server } = new WebSocketPair()
    server.accept()
    server.addEventListener('message', hang)
    return new Response(null, { status: 101, webSocket: client })
  },
  async '/call'(request, env) { return new Response(await env.PEER.hang()) },
  async '/read'(request, env) { return new Response(await new Response(await env.PEER.hangingStream()).text()) },
  // One turn of 20 ms.
  '/short'() { busy(20) },
  // Short turns, each of which causes the next without an event from outside.
  async '/relay'(request, env, ctx) { for (;;) await ctx.exports.default.nothing() },
  // Fifty turns of 20 ms, with nothing but a timer between them.
  async '/pauses'() { for (let i = 0; i < 50; i++) { busy(20); await scheduler.wait(1) } },
}

export class Hangs extends WorkerEntrypoint {
  constructor(ctx, env) { super(ctx, env); hang() }
}

export default class extends WorkerEntrypoint {
  async fetch(request) {
    const way = ways[new URL(request.url).pathname]
    return (await way?.(request, this.env, this.ctx)) ?? new Response('done')
  }
  nothing() {}
  hang() { hang() }
  hangingStream() { return hangingStream() }
}`
