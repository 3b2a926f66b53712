import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Platform } from './support/client.ts'
import { waysTo } from './support/edges.ts'
import { applyGateway } from './support/gateway.ts'
import { type FakeIdentityProvider, startIdentityProvider } from './support/identity-provider.ts'
import { type RunningPlatform, startPlatform } from './support/platform.ts'
import { createRandom } from './support/random.ts'

/**
 * Many callers at once, with and without a name, of what may and may not be shared, by all edges, some of whom hang
 * up, while caches are purged and processes killed. Whatever is answered must be what this caller may see, whole.
 */

const HOST = 'mixed.example'
const CALLERS = 30
const MS = 8000
const BODY_CHARS = 3000
/** Who waits for a process that was killed goes on by himself after two seconds, twice at most. */
const SLOW_MS = 6000

/** Says who it thinks is calling, and is as cacheable as the query says. */
const SCRIPT = `export default {
  async fetch(request, env, ctx) {
    await scheduler.wait(Math.random() * 20)
    const { pathname, searchParams } = new URL(request.url)
    const headers = new Headers(searchParams)
    headers.set('vary', 'x-language')
    if (headers.has('etag') && request.headers.get('if-none-match') === headers.get('etag'))
      return new Response(null, { status: 304, headers })
    const seen = { pathname, caller: ctx.props.identity.subject, language: request.headers.get('x-language') }
    return new Response(JSON.stringify(seen).padEnd(${BODY_CHARS}), { headers })
  },
}`

const LIFETIMES = [
  'max-age=1',
  'max-age=0',
  'max-age=60',
  'max-age=0, stale-while-revalidate=5',
  'max-age=1, stale-if-error=20',
  'private, max-age=60',
  'no-store',
  'public, max-age=1',
  's-maxage=1, stale-while-revalidate=5',
]
const isShared = (lifetime: string) => /public|s-maxage/.test(lifetime)

/** Where the cache is, before or behind who finds out who calls; `true`: each caller has a cache of his own. */
const ROUTES: Readonly<Record<string, { readonly use: string[]; readonly isOwn?: true }>> = {
  behind: { use: ['callers', 'cache'] },
  before: { use: ['cache', 'callers'] },
  own: { use: ['callers', 'own'], isOwn: true },
}

let platform: RunningPlatform
let provider: FakeIdentityProvider
const tokens = new Map<string, string>()

beforeAll(async () => {
  platform = await startPlatform('start', { env: { SKERRY_PROCESSES: '3' } })
  provider = await startIdentityProvider()
  for (const name of ['ann', 'bob', 'cid']) tokens.set(name, await provider.sign({ sub: name }))
  await platform.upload('mixed', SCRIPT)
  await applyGateway(platform, {
    routes: Object.entries(ROUTES).map(([name, { use }]) => ({
      match: `${HOST}/${name}/*`,
      script: 'mixed',
      use,
    })),
    policies: {
      tokens: { type: 'jwt', issuer: provider.issuer, audience: 'orders' },
      callers: { type: 'any-of', policies: ['tokens'], anonymous: true },
      cache: { type: 'cache', stale_if_error: '1m' },
      own: { type: 'cache', key: { identity: true } },
    },
  })
})
afterAll(async () => {
  await platform?.stop()
  await provider?.stop()
})

test('nobody gets what is somebody else’s, or half of it', async () => {
  const ways = [...waysTo(platform), platform.fetch]
  const random = createRandom(7)
  const endMs = performance.now() + MS
  const wrong: string[] = []
  const counts = { answered: 0, hits: 0, hungUp: 0, broken: 0 }
  const caller = async () => {
    while (performance.now() < endMs) await ask(pick(ways, random), random, wrong, counts)
  }
  const disturb = async () => {
    while (performance.now() < endMs - 1000) {
      await delay(500)
      const pids = Object.values(platform.processes())
      if (random() < 0.5) process.kill(pick(pids, random), 'SIGKILL')
      else await platform.v1('POST', '$A/cache/purge', { prefixes: [`${HOST}/behind`] }).catch(() => {})
    }
  }
  await Promise.all([disturb(), ...Array.from({ length: CALLERS }, caller)])
  expect(wrong).toEqual([])
  expect(counts.answered).toBeGreaterThan(500)
  expect(counts.hits).toBeGreaterThan(50)
  expect(counts.hungUp).toBeGreaterThan(50)
})

async function ask(
  way: Platform['fetch'],
  random: () => number,
  wrong: string[],
  counts: Record<'answered' | 'hits' | 'hungUp' | 'broken', number>,
): Promise<void> {
  const [route, { isOwn }] = pick(Object.entries(ROUTES), random)
  const number = Math.floor(random() * 2 * LIFETIMES.length)
  const lifetime = LIFETIMES[number % LIFETIMES.length] ?? ''
  const name = random() < 0.3 ? 'anonymous' : pick([...tokens.keys()], random)
  const language = pick(['de', 'en'], random)
  const method = random() < 0.1 ? 'HEAD' : random() < 0.03 ? 'POST' : 'GET'
  const isPart = random() < 0.1
  const query = new URLSearchParams({ 'cache-control': lifetime, ...(number % 2 && { etag: '"v1"' }) })
  const pathname = `/${route}/${number}`
  const token = tokens.get(name)
  const headers = {
    'x-language': language,
    ...(token && { authorization: `Bearer ${token}` }),
    ...(isPart && { range: 'bytes=0-3' }),
  }
  const impatient = new AbortController()
  const hangsUp = random() < 0.2
  if (hangsUp) setTimeout(() => impatient.abort(), random() * 40)
  const startedAtMs = performance.now()
  try {
    const response = await way(HOST, `${pathname}?${query}`, { method, headers, signal: impatient.signal })
    const text = await response.text()
    counts.answered++
    const how = response.headers.get('cache-status') ?? ''
    if (how.includes('hit')) counts.hits++
    const problem = judge(
      method,
      isPart,
      response.status,
      text,
      { pathname, language, name },
      !isOwn && isShared(lifetime),
    )
    if (problem) wrong.push(`${method} ${pathname} (${lifetime}) for ${name}: ${problem}; ${how}`)
  } catch {
    // Its process was killed.
    counts[hangsUp ? 'hungUp' : 'broken']++
  }
  const ms = performance.now() - startedAtMs
  if (ms > SLOW_MS) wrong.push(`${method} ${pathname} (${lifetime}) for ${name}: took ${Math.round(ms)} ms`)
}

function judge(
  method: string,
  isPart: boolean,
  status: number,
  text: string,
  wanted: { readonly pathname: string; readonly language: string; readonly name: string },
  mayBeOthers: boolean,
): string | undefined {
  if (isPart && status === 206) return text === '{"pa' ? undefined : `a part: ${text.slice(0, 100)}`
  if (status !== 200) return `${status} ${text.slice(0, 200)}`
  if (method === 'HEAD') return text === '' ? undefined : 'a body'
  if (text.length !== BODY_CHARS) return `${text.length} characters`
  const seen = JSON.parse(text) as { pathname: string; caller: string; language: string }
  if (seen.pathname !== wanted.pathname || seen.language !== wanted.language) return text.trim()
  return mayBeOthers || seen.caller === wanted.name ? undefined : text.trim()
}

function pick<T>(list: readonly T[], random: () => number): T {
  return list[Math.floor(random() * list.length)] as T
}
