// By hand: node test/e2e/r2-large.ts [megabytes, a multiple of 64, default 2048]
//
// Streams one object into a bucket and out of it, by a function and by the API, and says how the memory of the
// platform's processes grew meanwhile. It fails where one of them grew by 64 MB or more.
import { createHash } from 'node:crypto'
import { rmSync } from 'node:fs'
import { request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { startPlatform } from './support/platform.ts'
import { readMemory } from './support/process-table.ts'

const MB = 1024 * 1024
const megabytes = Number(process.argv[2] ?? 2048)
const GROWTH_LIMIT_MB = 64
/** The API takes no more. */
const API_MB = 300
/** Without a byte for so long, a read has failed. */
const STALL_MS = 20_000

/** Puts a stream that it makes, also in parts or nowhere, and reads objects. */
const WORKER = `
const MB = 1024 * 1024
const chunk = new Uint8Array(MB)
const source = (count, first = 0) => {
  const { readable, writable } = new FixedLengthStream(count * MB)
  const pump = async () => {
    const writer = writable.getWriter()
    for (let i = 0; i < count; i++) await writer.write(chunk.fill((first + i) % 251))
    await writer.close()
  }
  return { readable, done: pump() }
}
export default {
  async fetch(request, env) {
    const url = new URL(request.url)
    const count = Number(url.searchParams.get('mb'))
    const key = url.searchParams.get('key')
    if (url.pathname === '/put') {
      const { readable, done } = source(count)
      const [object] = await Promise.all([env.R2.put(key, readable), done])
      return Response.json(object)
    }
    if (url.pathname === '/parts') {
      const upload = await env.R2.createMultipartUpload(key)
      const parts = []
      for (let i = 0; i < count / 64; i++) {
        const { readable, done } = source(64, i * 64)
        const [part] = await Promise.all([upload.uploadPart(i + 1, readable), done])
        parts.push(part)
      }
      return Response.json(await upload.complete(parts))
    }
    if (url.pathname === '/nowhere') {
      const { readable, done } = source(count)
      await Promise.all([readable.pipeTo(new WritableStream()), done])
      return new Response('gone')
    }
    return new Response((await env.R2.get(key)).body)
  },
}`

const platform = await startPlatform('start')
let isBad = false
try {
  await platform.api('POST', '$A/r2/buckets', { name: 'large' })
  await platform.upload('large', WORKER, {
    bindings: [{ type: 'r2_bucket', name: 'R2', bucket_name: 'large' }],
  })
  // What a function's own stream makes its process grow by, whatever it does with it: both edges, in turns.
  for (let i = 0; i < 4; i++) {
    const calls = [1, 2, 3, 4].map(async () => (await platform.call('large', '/nowhere?mb=64')).text())
    await Promise.all(calls)
  }
  await (await platform.call('large', '/put?key=warm&mb=8')).text()
  await (await platform.call('large', '/get?key=warm')).arrayBuffer()

  await measure('a function puts a stream', async () => {
    await expectOk(await platform.call('large', `/put?key=whole&mb=${megabytes}`))
  })
  await measure('a client reads it from the function', () =>
    drain(`large.${platform.domain}`, '/get?key=whole'),
  )
  await measure('a function uploads it in parts of 64 MB', async () => {
    await expectOk(await platform.call('large', `/parts?key=parts&mb=${megabytes}`))
  })
  await measure('a client reads the parts from the function', () =>
    drain(`large.${platform.domain}`, '/get?key=parts'),
  )
  const uploaded = Math.min(megabytes, API_MB)
  await measure(`the API puts ${uploaded} MB`, () => send(objectPath('api'), uploaded))
  await measure('the API gives the large one', () => drain('127.0.0.1', objectPath('whole')))
} finally {
  await platform.stop()
  rmSync(platform.dataDir, { recursive: true, force: true })
}
process.exitCode = isBad ? 1 : 0

async function measure(what: string, run: () => Promise<unknown>): Promise<void> {
  const processes = Object.entries(platform.processes())
  const before = new Map(processes.map(([name, pid]) => [name, readMemory([pid]).rss]))
  const peak = new Map(before)
  let isRunning = true
  const watch = (async () => {
    while (isRunning) {
      for (const [name, pid] of processes) {
        peak.set(name, Math.max(peak.get(name) ?? 0, readMemory([pid]).rss))
      }
      await delay(100)
    }
  })()
  const startMs = performance.now()
  await run()
  const seconds = (performance.now() - startMs) / 1000
  isRunning = false
  await watch
  const growth = processes.map(([name]) => {
    const grownMb = ((peak.get(name) ?? 0) - (before.get(name) ?? 0)) / MB
    if (grownMb >= GROWTH_LIMIT_MB) isBad = true
    return `${name} +${grownMb.toFixed(0)}`
  })
  console.log(`${what}: ${seconds.toFixed(1)} s, MB grown at most: ${growth.join(', ')}`)
}

async function expectOk(response: Response): Promise<void> {
  const text = await response.text()
  if (response.status !== 200) throw new Error(`${response.status} ${text}`)
  const { size } = JSON.parse(text) as { size: number }
  if (size !== megabytes * MB) throw new Error(`the object has ${size} bytes`)
}

function objectPath(key: string): string {
  return `/client/v4/accounts/${platform.accountId}/r2/buckets/large/objects/${key}`
}

/** Reads a response to its end and checks every byte. */
function drain(host: string, path: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const headers = { host: `${host}:${platform.port}`, authorization: `Bearer ${platform.token}` }
  const hash = createHash('md5')
  let size = 0
  const outgoing = request({ port: platform.port, path, headers }, incoming => {
    incoming.on('data', (chunk: Buffer) => {
      size += chunk.length
      hash.update(chunk)
    })
    incoming.on('error', reject)
    incoming.on('end', () => {
      const isWhole = size === megabytes * MB && hash.digest('hex') === expectedMd5()
      if (isWhole) resolve()
      else reject(new Error(`${incoming.statusCode}: ${size} bytes came, or other ones`))
    })
  })
  outgoing.on('error', reject)
  outgoing.setTimeout(STALL_MS, () => outgoing.destroy(new Error(`nothing came after ${size} bytes`)))
  outgoing.end()
  return promise
}

/** Uploads through the API, a megabyte at a time. */
async function send(path: string, count: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const headers = {
    host: `127.0.0.1:${platform.port}`,
    authorization: `Bearer ${platform.token}`,
    'content-length': String(count * MB),
  }
  const outgoing = request({ port: platform.port, path, method: 'PUT', headers }, incoming => {
    incoming.resume()
    if (incoming.statusCode === 200) incoming.on('end', resolve)
    else reject(new Error(`the API answered ${incoming.statusCode}`))
  })
  outgoing.on('error', reject)
  for (let i = 0; i < count; i++) {
    if (!outgoing.write(Buffer.alloc(MB, chunkAt(i)))) {
      await new Promise<void>(go => outgoing.once('drain', go))
    }
  }
  outgoing.end()
  return promise
}

/** The byte that fills a megabyte. */
function chunkAt(index: number): number {
  return index % 251
}

function expectedMd5(): string {
  const hash = createHash('md5')
  for (let i = 0; i < megabytes; i++) hash.update(Buffer.alloc(MB, chunkAt(i)))
  return hash.digest('hex')
}
