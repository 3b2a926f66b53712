import { readFileSync } from 'node:fs'
import { get } from 'node:http'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { IsolateCounters } from '../../runtime/evict.ts'
import { parseIsolateId } from '../../src/core/isolate-id.ts'
import type { ScriptEntry } from '../../src/core/routing.ts'
import { bundleModule, startWorkerd, type Workerd } from '../support/workerd.ts'
import type { EvictScript } from '../worker/evict.ts'

const ACCOUNT = 'a'.repeat(32)
const MAX_ISOLATES = 100

/** A gateway whose isolates are limited; see `test/worker/evict.ts`. */
class Edge {
  readonly workerd: Workerd
  #revision = 0
  #code = 0

  constructor(workerd: Workerd) {
    this.workerd = workerd
  }

  async control<T>(path: string, body?: unknown): Promise<T> {
    const init = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }
    const response = await this.workerd.fetch(path, { ...init, headers: { host: 'control' } })
    return (await response.json()) as T
  }

  /** Deploys, or deploys anew. */
  async deploy(
    scripts: Readonly<Record<string, EvictScript>>,
    more: Partial<ScriptEntry> = {},
  ): Promise<void> {
    await this.control('/scripts', scripts)
    const reads = { cf: false, clientHeaders: false }
    await this.#apply(
      Object.keys(scripts).map(name => {
        const isolate = `${name}-${++this.#code}`
        const version = { id: isolate, isolate, percentage: 100, reads, hasFetch: true, turnMs: 500 }
        return { name, versions: [version], workersDev: true, previews: false, tailingUntilMs: 0, ...more }
      }),
      [],
    )
  }

  remove(...names: string[]): Promise<void> {
    return this.#apply([], names)
  }

  async fetch(script: string, path = '/'): Promise<string> {
    const response = await this.workerd.fetch(path, { headers: { host: `${script}.localhost` } })
    const text = await response.text()
    return response.status === 200 ? text : `${response.status} ${text}`
  }

  evict(query: string): Promise<number | null> {
    return this.control(`/evict?${query}`)
  }

  counters(): Promise<IsolateCounters> {
    return this.control('/counters')
  }

  async #apply(scripts: readonly ScriptEntry[], removed: readonly string[]): Promise<void> {
    const from = this.#revision++
    const to = this.#revision
    await this.control('/apply', {
      accountId: ACCOUNT,
      workersDomain: 'localhost',
      from,
      to,
      scripts,
      removed,
    })
  }
}

let edge: Edge
let workerd: Workerd

async function startEdge(maxIsolates: number): Promise<Workerd> {
  return startWorkerd({
    modules: { 'worker.js': await bundleModule('test/worker/evict.ts') },
    compatibilityFlags: ['experimental', 'service_binding_extra_handlers'],
    bindings: [
      { name: 'LOADER', workerLoader: { id: 'functions' } },
      { name: 'SKERRY_MAX_ISOLATES', text: String(maxIsolates) },
    ],
  })
}

/** Counts its requests, and does what the path says; a new isolate counts from 1 again. */
const FUNCTION = `let count = 0
  const done = []
  export default { async fetch(request, env, ctx) {
    count++
    const { pathname, searchParams } = new URL(request.url)
    const ms = Number(searchParams.get('ms'))
    if (pathname === '/slow') await scheduler.wait(ms)
    if (pathname === '/stream') {
      const { readable, writable } = new TransformStream()
      const writer = writable.getWriter()
      ctx.waitUntil((async () => {
        for (let i = 0; i < 5; i++) {
          await writer.write(new TextEncoder().encode(String(i)))
          await scheduler.wait(ms)
        }
        await writer.close()
      })())
      return new Response(readable)
    }
    if (pathname === '/socket') {
      const [client, server] = Object.values(new WebSocketPair())
      server.accept()
      server.addEventListener('message', ({ data }) => server.send(data + ' ' + count))
      return new Response(null, { status: 101, webSocket: client })
    }
    return new Response(env.NAME + ' ' + count)
  } }`

const scriptOf = (name: string, more: Partial<EvictScript> = {}): EvictScript => ({
  source: FUNCTION,
  bindings: [{ type: 'plain_text', name: 'NAME', text: name }],
  ...more,
})

const ALL = 'keep=0&olderThanMs=0&atMost=1000'

describe('an edge', () => {
  beforeAll(async () => {
    workerd = await startEdge(MAX_ISOLATES)
    edge = new Edge(workerd)
  })
  afterAll(() => workerd?.stop())
  beforeEach(() => edge.evict(ALL))

  test('starts an evicted isolate anew, under another id', async () => {
    await edge.deploy({ again: scriptOf('again') })
    expect([await edge.fetch('again'), await edge.fetch('again')]).toEqual(['again 1', 'again 2'])
    const before = await edge.counters()
    expect(await edge.evict(ALL)).toBe(1)
    expect(await edge.counters()).toEqual({
      ...before,
      loaded: before.loaded - 1,
      evicted: before.evicted + 1,
    })
    expect([await edge.fetch('again'), await edge.fetch('again')]).toEqual(['again 1', 'again 2'])
  })

  test('evicts nothing that was used lately, and answers at once when there is nothing to do', async () => {
    await edge.deploy({ lately: scriptOf('lately') })
    await edge.fetch('lately')
    expect(await edge.evict('keep=0&olderThanMs=60000')).toBeNull()
    expect(await edge.evict('keep=1&olderThanMs=0')).toBeNull()
    expect(await edge.fetch('lately')).toBe('lately 2')
  })

  test('lets requests, streams and WebSockets of an evicted isolate go on', async () => {
    await edge.deploy({ busy: scriptOf('busy') })
    const socket = await openSocket(workerd, 'busy')
    const slow = edge.fetch('busy', '/slow?ms=500')
    const stream = edge.fetch('busy', '/stream?ms=100')
    await expect.poll(() => edge.fetch('busy')).toMatch(/^busy ([4-9])$/)
    expect(await edge.evict(ALL)).toBe(1)
    expect(await edge.fetch('busy')).toBe('busy 1')
    expect(await slow).toMatch(/^busy [4-9]$/)
    expect(await stream).toBe('01234')
    expect(await socket.ask('hello')).toMatch(/^hello [4-9]$/)
    socket.close()
  })

  test('evicts what nothing leads to any more, however few there are', async () => {
    await edge.deploy({ old: scriptOf('old'), deleted: scriptOf('deleted'), kept: scriptOf('kept') })
    for (const name of ['old', 'deleted', 'kept']) expect(await edge.fetch(name)).toBe(`${name} 1`)
    await edge.deploy({ old: scriptOf('old') })
    await edge.remove('deleted')
    const before = await edge.counters()
    await expect
      .poll(
        async () => {
          await edge.evict('keep=100')
          return (await edge.counters()).evicted - before.evicted
        },
        { timeout: 15_000, interval: 500 },
      )
      .toBe(2)
    expect(await edge.fetch('kept')).toBe('kept 2')
  })

  test('keeps to its most when 1,500 functions are called, a hundred at a time, while some are slow', async () => {
    const names = Array.from({ length: 1500 }, (_, i) => `many-${i}`)
    await edge.deploy(Object.fromEntries(names.map(name => [name, scriptOf(name)])))
    const before = await edge.counters()
    const slow = names.slice(0, 50).map(name => edge.fetch(name, '/slow?ms=3000'))
    const sizes: number[] = []
    for (let i = 50; i < names.length; i += 50) {
      const batch = names.slice(i, i + 50)
      const answers = await Promise.all(batch.map(name => edge.fetch(name)))
      expect(answers).toEqual(batch.map(name => `${name} 1`))
      expect((await edge.counters()).loaded).toBeLessThanOrEqual(MAX_ISOLATES)
      sizes.push(residentBytes(workerd))
    }
    expect(await Promise.all(slow)).toEqual(names.slice(0, 50).map(name => `${name} 1`))
    const after = await edge.counters()
    expect(after.everLoaded - before.everLoaded).toBe(1500)
    expect(after.evicted - before.evicted).toBe(1500 - MAX_ISOLATES + before.loaded)
    expect(after.stuck).toBe(before.stuck)
    expect(workerd.log()).toBe('')
    // Of 1,000 more, none stayed: a gigabyte and a half otherwise.
    const [third = 0, last = 0] = [sizes[9], sizes.at(-1)]
    expect(last - third).toBeLessThan(100 * 1024 * 1024)
  }, 120_000)

  test('finishes loading a function whose first caller went away meanwhile', async () => {
    const source = `export default { async fetch(request, env) {
      const signal = request.url.endsWith('/leave') ? AbortSignal.timeout(100) : undefined
      try { return await env.CALLEE.fetch('http://callee/', { signal }) } catch (error) { return new Response(error.name) }
    } }`
    const delays = [150, 200, 250, 300]
    for (const delayMs of delays) {
      const callee = `callee-${delayMs}`
      await edge.deploy({
        [callee]: scriptOf(callee, { delayMs }),
        [`caller-${delayMs}`]: { source, bindings: [{ type: 'service', name: 'CALLEE', service: callee }] },
      })
    }
    const callAll = (path: string) => Promise.all(delays.map(ms => edge.fetch(`caller-${ms}`, path)))
    expect(await callAll('/leave')).toEqual(delays.map(() => 'TimeoutError'))
    // Whether the abandoned call still runs is not said.
    const answers = delays.map(ms => expect.stringMatching(`^callee-${ms} [12]$`))
    expect(await callAll('/')).toEqual(answers)
  })

  test('takes an isolate that ended itself for evicted, and does not load it for that', async () => {
    await edge.deploy({
      suicide: {
        source: `import { abortIsolate } from 'cloudflare:workers'
          export default { fetch(request, env, ctx) {
            if (request.url.endsWith('/end')) ctx.waitUntil(scheduler.wait(0).then(() => abortIsolate()))
            return new Response('here')
          } }`,
      },
    })
    await edge.fetch('suicide', '/end')
    const before = await edge.counters()
    expect(await edge.evict(ALL)).toBe(1)
    expect(await edge.counters()).toMatchObject({ everLoaded: before.everLoaded, stuck: before.stuck })
    expect(await edge.fetch('suicide')).toBe('here')
  })

  test('is not kept by an isolate that does not end, and counts it', async () => {
    await edge.deploy({ hang: scriptOf('hang'), break: scriptOf('break'), fine: scriptOf('fine') })
    for (const name of ['hang', 'break', 'fine']) await edge.fetch(name)
    const before = await edge.counters()
    const evicting = edge.evict(ALL)
    await expect
      .poll(() => edge.counters())
      .toMatchObject({
        loaded: before.loaded - 1,
        evicted: before.evicted + 1,
        stuck: before.stuck + 1,
      })
    expect(await edge.fetch('hang')).toBe('hang 1')
    expect(await evicting).toBe(1)
    expect(await edge.counters()).toMatchObject({ stuck: before.stuck + 2 })
  })
})

test('an edge whose isolates are all busy makes a load wait, then refuses it', async () => {
  const small = await startEdge(2)
  try {
    const full = new Edge(small)
    const names = ['a', 'b', 'c', 'd', 'e', 'f']
    await full.deploy(Object.fromEntries(names.map(name => [name, scriptOf(name)])))
    const slow: Promise<string>[] = []
    // Two places, and two that linger.
    for (const name of ['a', 'b', 'c', 'd']) {
      slow.push(full.fetch(name, '/slow?ms=4000'))
      await expect.poll(async () => (await full.counters()).everLoaded).toBe(slow.length)
    }
    const refused = await full.fetch('e')
    expect(refused).toMatch(/^503 /)
    expect(JSON.parse(refused.slice(4))).toMatchObject({ code: 'ERR_EDGE_FULL' })
    expect(await Promise.all(slow)).toEqual(['a 1', 'b 1', 'c 1', 'd 1'])
    expect(await full.fetch('e')).toBe('e 1')
  } finally {
    await small.stop()
  }
})

test('the ids of isolates can be read by who watches the process', async () => {
  expect(parseIsolateId(`${ACCOUNT}/a/500/a-1.prelude~1z`)).toMatchObject({ script: 'a', turnMs: 500 })
})

function residentBytes({ pid }: Workerd): number {
  const [, pages] = readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')
  return Number(pages) * 4096
}

/** A WebSocket by hand: Node's own client can't set the Host header. */
function openSocket(
  { url }: Workerd,
  script: string,
): Promise<{ ask(text: string): Promise<string>; close(): void }> {
  const headers = {
    host: `${script}.localhost`,
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  }
  return new Promise((resolve, reject) => {
    get(`${url}/socket`, { headers, agent: false }, () => reject(new Error('no WebSocket')))
      .on('error', reject)
      .on('upgrade', (_response, socket) => {
        resolve({
          ask: text =>
            new Promise(answer => {
              // An unmasked short text comes back: two bytes, then the text.
              socket.once('data', data => answer(data.subarray(2).toString()))
              const mask = Buffer.from([0, 0, 0, 0])
              socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | text.length]), mask, Buffer.from(text)]))
            }),
          close: () => socket.destroy(),
        })
      })
  })
}
