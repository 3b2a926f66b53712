import { describe, expect, test } from 'vitest'
import type { Platform } from './support/client.ts'
import { waysTo } from './support/edges.ts'
import { openHosts } from './support/hosts.ts'
import { createWorker } from './support/project.ts'

const hosts = await openHosts('cache-api')
const other = await openHosts('cache-api-other')

const MODULE = `
export default {
  async fetch(request: Request, env: unknown, ctx: ExecutionContext): Promise<Response> {
    const url = new URL(request.url)
    const cache = url.searchParams.has('named') ? await caches.open('named') : caches.default
    const key = 'https://cache.example' + url.pathname
    if (request.method === 'DELETE') return Response.json(await cache.delete(key))
    const found = await cache.match(new Request(key, { headers: request.headers }))
    if (found || request.headers.has('x-only')) return found ?? new Response('miss')
    const body = request.body ?? crypto.randomUUID()
    const response = new Response(body, { headers: { 'cache-control': 'max-age=600', etag: '"one"' } })
    ctx.waitUntil(cache.put(key, response.clone()))
    return response
  },
}`

const SCRIPT = `
addEventListener('fetch', event => event.respondWith(answer(event)))
async function answer(event: FetchEvent) {
  const found = await caches.default.match(event.request.url)
  if (found) return found
  const response = new Response('made', { headers: { 'cache-control': 's-maxage=600' } })
  event.waitUntil(caches.default.put(event.request.url, response.clone()))
  return response
}`

describe.each(hosts)('caches on `npm $kind`', platform => {
  const deploy = async (name: string, source = MODULE, config: object = {}, on: Platform = platform) => {
    const { dir } = createWorker(name, source, config)
    const finished = await on.wrangler(['deploy'], { cwd: dir })
    expect(finished.code, finished.all).toBe(0)
  }
  const call = (script: string, path: string, headers: Record<string, string> = {}, method = 'GET') =>
    platform.call(script, path, { method, headers })
  const look = async (script: string, path: string, on: Platform = platform) =>
    on.read(script, path, { headers: { 'x-only': '1' } })

  test('a response is found again: by every edge, and by another version, but by no other script or account', async () => {
    await deploy('cached')
    const made = await call('cached', '/a')
    expect(made.headers.get('cf-cache-status')).toBeNull()
    const text = await made.text()
    // It was put once the answer had gone.
    await expect.poll(() => look('cached', '/a')).toBe(text)
    for (const way of waysTo(platform)) {
      const found = await way(`cached.${platform.domain}`, '/a', { headers: { 'x-only': '1' } })
      expect(found.headers.get('cf-cache-status')).toBe('HIT')
      expect(await found.text()).toBe(text)
    }
    expect(await look('cached', '/a?named')).toBe('miss')

    await deploy('cached', MODULE, { compatibility_date: '2023-01-01' })
    expect(await look('cached', '/a')).toBe(text)

    await deploy('neighbour')
    expect(await look('neighbour', '/a')).toBe('miss')
    const stranger = other.find(({ kind }) => kind === platform.kind)
    if (!stranger) throw new Error('no other account')
    await deploy('cached', MODULE, {}, stranger)
    expect(await look('cached', '/a', stranger)).toBe('miss')

    const gone = await call('cached', '/a', {}, 'DELETE')
    expect(await gone.json()).toBe(true)
    expect(await look('cached', '/a')).toBe('miss')
  })

  test('conditions and ranges of clients reach what is stored', async () => {
    await deploy('asked')
    await call('asked', '/b').then(response => response.text())
    await expect.poll(() => look('asked', '/b')).not.toBe('miss')
    const whole = await look('asked', '/b')
    const part = await call('asked', '/b', { range: 'bytes=0-3' })
    expect([part.status, part.headers.get('content-range'), await part.text()]).toEqual([
      206,
      'bytes 0-3/36',
      whole.slice(0, 4),
    ])
    expect((await call('asked', '/b', { 'if-none-match': '"one"' })).status).toBe(304)
  })

  test('a script in service-worker syntax has caches, too', async () => {
    await deploy('classic', SCRIPT, { compatibility_date: '2022-01-01' })
    const status = async () => {
      const response = await call('classic', '/')
      return [response.headers.get('cf-cache-status'), await response.text()]
    }
    expect(await status()).toEqual([null, 'made'])
    await expect.poll(status).toEqual(['HIT', 'made'])
  })
})
