import { callEveryEdge, openSocketAndSend, runCron, uploadLoop } from '../attacks.ts'
import { call } from '../caller.ts'
import type { HostileCase } from '../case.ts'

const CPU = { answer: /^503 ERR_FUNCTION_CPU$/, strikes: ['cpu'] } as const
/** In a fetch() handler. */
const handling = (body: string, before = '') => `${before}
export default { async fetch(request, env, ctx) { ${body} } }`

/** (module (func (export "run") (loop br 0))) */
const WASM_LOOP = Uint8Array.from([
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 7, 7, 1, 3, 0x72, 0x75, 0x6e, 0, 0],
  ...[0x0a, 9, 1, 7, 0, 3, 0x40, 0x0c, 0, 0x0b, 0x0b],
])

/** Functions that don't let go of the thread. */
export const CPU_CASES: readonly HostileCase[] = [
  {
    name: 'endless-loop',
    does: 'loops: `while (true)`',
    source: handling(`if (request.url.endsWith('/fine')) return new Response('fine'); while (true);`),
    ...CPU,
  },
  {
    name: 'regex',
    does: 'tries a catastrophic regular expression',
    source: handling(`return new Response(/^(a+)+$/.test('a'.repeat(60) + '!'))`),
    ...CPU,
  },
  {
    name: 'json',
    does: 'parses huge JSON again and again',
    source: handling(
      `const text = JSON.stringify(Array(3e5).fill({ a: [1, 'b', null] })); for (;;) JSON.parse(text)`,
    ),
    ...CPU,
  },
  {
    name: 'crypto',
    does: 'hashes without end, synchronously',
    source: handling(
      `for (let text = ''; ; ) text = createHash('sha512').update(text).digest('hex')`,
      `import { createHash } from 'node:crypto'`,
    ),
    ...CPU,
  },
  {
    name: 'key-derivation',
    does: 'derives a key with a billion rounds, in one native call',
    source: handling(
      `return new Response(pbkdf2Sync('password', 'salt', 1e9, 64, 'sha512'))`,
      `import { pbkdf2Sync } from 'node:crypto'`,
    ),
    ...CPU,
  },
  {
    name: 'microtasks',
    does: 'queues microtasks without end',
    source: handling('for (;;) await null'),
    ...CPU,
  },
  {
    name: 'wasm-loop',
    does: 'loops in WebAssembly',
    source: {
      'index.js': handling(`new WebAssembly.Instance(loop).exports.run()`, `import loop from './loop.wasm'`),
      'loop.wasm': WASM_LOOP,
    },
    ...CPU,
  },
  {
    name: 'wait-until',
    does: 'answers, then loops in `waitUntil`',
    source: handling(
      `ctx.waitUntil(scheduler.wait(50).then(() => { for (;;); })); return new Response('done')`,
    ),
    ...CPU,
    answer: /^200 done$/,
  },
  {
    name: 'scheduled',
    does: 'loops in `scheduled()`',
    source: `export default { scheduled() { for (;;); } }`,
    ...CPU,
    attack: runCron,
    answer: /^503 ERR_EDGE_LOST$/,
  },
  {
    name: 'socket-message',
    does: 'loops in the handler of a WebSocket message',
    source: handling(`
      const { 0: client, 1: server } = new WebSocketPair()
      server.accept()
      server.addEventListener('message', () => { for (;;); })
      return new Response(null, { status: 101, webSocket: client })`),
    ...CPU,
    attack: openSocketAndSend,
    answer: /^closed$/,
  },
  {
    name: 'stream',
    does: 'answers, then loops in the stream of its body',
    source: handling(`
      const encoder = new TextEncoder()
      let chunks = 0
      return new Response(new ReadableStream({
        async pull(controller) {
          if (chunks++ > 2) for (;;);
          await scheduler.wait(10)
          controller.enqueue(encoder.encode('chunk'))
        },
      }))`),
    ...CPU,
    answer: /^200, then broken$/,
  },
  {
    name: 'late-turn',
    does: 'gives a thousand good answers, then loops',
    source: handling(`if (++answers > 1000) for (;;); return new Response('good')`, 'let answers = 0'),
    ...CPU,
    attack: async ({ get }) => {
      // Edges count apart, so it takes up to twice as many.
      for (let sent = 0; sent < 2000; sent += 20) {
        const answers = await Promise.all(Array.from({ length: 20 }, () => get()))
        const other = answers.find(({ got }) => got !== '200 good')
        if (other) return other
      }
      return get()
    },
    watchMs: 3000,
  },
  {
    name: 'called-by-another',
    does: 'loops when another one calls it through a service binding',
    source: handling('return env.LOOPS.fetch(request)'),
    companions: { 'loops-for-others': handling('for (;;);') },
    config: { services: [{ binding: 'LOOPS', service: 'loops-for-others' }] },
    culprit: 'loops-for-others',
    strikes: ['cpu'],
    answer: /^503 ERR_(FUNCTION_CPU|EDGE_LOST)$/,
    // Its caller is innocent, so the request is tried once more: two edges, one after the other.
    mayLose: 2,
    answerWithinMs: 2000,
    watchMs: 3000,
  },
  {
    name: 'top-level',
    does: 'is fine when it is uploaded, and loops at its top level when it is called',
    source: `import { env } from 'cloudflare:workers'
      if (env.META.id) for (;;);
      export default { fetch() { return new Response('never') } }`,
    config: { version_metadata: { binding: 'META' } },
    ...CPU,
  },
  {
    name: 'upload',
    does: 'loops at its top level while it is uploaded',
    source: handling(`return new Response('the version before')`),
    attack: uploadLoop,
    answer: /^refused; 200 the version before$/,
    // What isn't deployed can't be struck. The code is tried on two edges, as once may be another function's doing.
    mayLose: 2,
    answerWithinMs: 2000,
    watchMs: 3000,
  },
  {
    name: 'frames-another',
    does: "fills its memory with the name of its neighbour's isolate, and loops",
    source: `export default {
      async fetch(request) {
        const name = await request.text()
        const held = [name]
        for (let i = 0; i < 20_000; i++) held.push(name.slice(0, -1) + name.slice(-1), new TextEncoder().encode(name))
        const loop = (...names) => { for (;;) names.reverse() }
        loop(...held.slice(0, 10_000))
      },
    }`,
    attack: ({ arena, get }) => {
      const [neighbour = ''] = arena.scripts
      return get('/', { method: 'POST', body: `${neighbour}/500/${'0'.repeat(64)}` })
    },
    ...CPU,
  },
  {
    name: 'finalizer',
    does: 'answers, then loops when something of it is collected as garbage',
    source: handling(
      `
      if (request.url.endsWith('/garbage')) {
        for (let i = 0; i < 5; i++) Array.from({ length: 1e5 }, (_, n) => ({ n }))
        return new Response('made')
      }
      registry.register({ gone: true }, 'gone')
      return new Response('registered')`,
      'const registry = new FinalizationRegistry(() => { for (;;); })',
    ),
    attack: async ({ get }) => {
      const registered = await get()
      const startedAtMs = performance.now()
      while (performance.now() < startedAtMs + 5000) {
        const answer = await get('/garbage')
        if (!answer.got.startsWith('200')) return answer
      }
      return registered
    },
    ...CPU,
    // Each may wait for another one's edge.
    answerWithinMs: 2000,
    watchMs: 3000,
  },
  {
    name: 'long-limit',
    does: 'loops, with a limit of three seconds in its configuration',
    source: handling('for (;;);'),
    config: { limits: { cpu_ms: 3000 } },
    ...CPU,
    answerWithinMs: 3500,
    watchMs: 4000,
  },
  {
    name: 'every-edge',
    does: 'loops in eight requests, more than there are edges',
    source: handling('for (;;);'),
    attack: ({ get }) => callEveryEdge(8, get),
    // Some are handed over to the next edge, and lose that as well.
    answer: /503 ERR_FUNCTION_CPU/,
    strikes: ['cpu'],
    watchMs: 3000,
    notContained: 'nobody is left to answer until the first edge is replaced',
  },
  {
    name: 'slices',
    does: 'computes in slices just under its limit, on every edge, for two seconds',
    source: handling(`
      for (const endMs = Date.now() + 2000; Date.now() < endMs; await scheduler.wait(1))
        for (const sliceMs = Date.now() + 400; Date.now() < sliceMs; );
      return new Response('worked')`),
    attack: ({ get }) => callEveryEdge(4, get),
    answer: /^200 worked$/,
    watchMs: 3000,
    notContained: 'each turn is within the limit: what shares the edge waits for up to that long',
  },
  {
    name: 'honest-work',
    does: 'computes for 20 ms a call, ten calls at a time: nobody must be blamed',
    source: handling(`
      for (const endMs = Date.now() + 20; Date.now() < endMs; );
      return new Response('computed')`),
    attack: async ({ arena, script }) => {
      const startedAtMs = performance.now()
      const loop = async () => {
        let last = 'nothing'
        while (performance.now() < startedAtMs + 2000) {
          const { got } = await call(arena.hostile, script)
          last = got
          if (got !== '200 computed') break
        }
        return last
      }
      const ends = await Promise.all(Array.from({ length: 10 }, loop))
      return { got: [...new Set(ends)].join(', '), ms: 0 }
    },
    answer: /^200 computed$/,
    watchMs: 2500,
    notContained: 'it is work, and takes its share of the machine',
  },
]
