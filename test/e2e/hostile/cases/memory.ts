import type { HostileCase } from '../case.ts'

const MEMORY = {
  answer: /^503 ERR_FUNCTION_MEMORY$/,
  strikes: ['memory'],
  // There is no turn to wait for the end of: a bomb is known when the process has grown enough.
  answerWithinMs: 4000,
  watchMs: 2500,
} as const

/** Allocates with a pause between, so that no turn is long, and holds everything. */
const bomb = (allocate: string, before = '') => `${before}
const held = globalThis.held = []
export default {
  async fetch(request) {
    if (request.url.endsWith('/fine')) return new Response('fine')
    for (let n = 0; ; n++) {
      held.push(${allocate})
      await scheduler.wait(1)
    }
  },
}`

/** Functions that take more memory than there is for them. */
export const MEMORY_CASES: readonly HostileCase[] = [
  {
    name: 'objects',
    does: 'holds more and more objects',
    source: bomb("Array.from({ length: 100_000 }, (_, i) => ({ i, n, text: i + ' of ' + n }))"),
    ...MEMORY,
  },
  {
    name: 'array-buffers',
    does: 'holds more and more ArrayBuffers',
    source: bomb('new Uint8Array(16 * 1024 * 1024).fill(1)'),
    ...MEMORY,
  },
  {
    name: 'strings',
    does: 'holds more and more strings',
    source: bomb('new TextDecoder().decode(new Uint8Array(8 * 1024 * 1024).fill(65 + n % 26))'),
    ...MEMORY,
  },
  {
    name: 'wasm-memory',
    does: 'grows a WebAssembly memory, and touches it',
    source: bomb(
      'new Uint8Array(grow().buffer, held.length * 256 * 65536).fill(1).length',
      `const memory = new WebAssembly.Memory({ initial: 0, maximum: 65536 })
       const grow = () => { memory.grow(256); return memory }`,
    ),
    ...MEMORY,
  },
  {
    name: 'one-turn',
    does: 'holds more and more objects, in one turn',
    source: `export default {
      fetch() {
        for (const held = []; ; ) held.push({ held: held.length, at: [held.length] })
      },
    }`,
    ...MEMORY,
    answer: /^503 ERR_FUNCTION_(MEMORY|CPU)$/,
    strikes: ['memory', 'cpu'],
  },
  {
    name: 'queue',
    does: 'fills the queue of a stream that nobody reads',
    source: `const held = globalThis.held = []
    export default {
      async fetch() {
        const stream = new ReadableStream({ start(controller) { held.push(controller) } })
        for (const chunk = 'x'.repeat(8 * 1024 * 1024); ; await scheduler.wait(1))
          held[0].enqueue(new TextEncoder().encode(chunk))
      },
    }`,
    ...MEMORY,
  },
]
