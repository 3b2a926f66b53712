import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { makeCache } from './cache-support.ts'
import { NOW_MS } from './support.ts'

/**
 * The policy against RFC 9111 read slowly and literally: whatever it gives without asking the origin, the model must
 * allow. The model shares no code with it.
 */

/** One exchange with the origin, as a cache remembers it. */
interface Remembered {
  readonly path: string
  readonly request: Headers
  readonly response: Headers
  readonly status: number
  readonly atMs: number
}

describe('cache and the model of RFC 9111', () => {
  test('nothing is reused that must not be', async () => {
    let reused = 0
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 14 }), async steps => {
        const cache = makeCache()
        const remembered: Remembered[] = []
        for (const { path, method, request, response, status, waitSeconds } of steps) {
          cache.advance(waitSeconds)
          cache.origin = asked => {
            const headers = new Headers(response)
            headers.set('x-exchange', String(remembered.length))
            if (asked.method === 'GET') {
              remembered.push({
                path,
                request: new Headers(asked.headers),
                response: headers,
                status,
                atMs: cache.nowMs,
              })
            } else
              remembered.push({
                path: '',
                request: asked.headers,
                response: headers,
                status,
                atMs: cache.nowMs,
              })
            return new Response('x', { status, headers })
          }
          const before = remembered.length
          const answer = await cache.ask(path, { method, headers: Object.fromEntries(request) })
          await answer.text()
          const number = answer.headers.get('x-exchange')
          if (number !== null && Number(number) < before) {
            const source = remembered[Number(number)] as Remembered
            // What a HEAD's answer made of it is another matter (§4.3.5).
            if (source.path === '') continue
            const failed = remembered.length > before && status === 500
            const reason = whyNot(source, path, method, new Headers(request), cache.nowMs, failed)
            expect(reason, describeReuse(source, request)).toBeUndefined()
            const written = remembered.slice(Number(number) + 1).some(each => each.path === `written ${path}`)
            expect(written).toBe(false)
            reused++
          }
          await cache.settle()
          if (method === 'POST' && status < 400) {
            remembered.push({
              path: `written ${path}`,
              request: new Headers(),
              response: new Headers(),
              status,
              atMs: 0,
            })
          }
        }
      }),
      { numRuns: 1500, seed: 9111 },
    )
    // A cache that never reuses anything would pass.
    expect(reused).toBeGreaterThan(500)
  })
})

/** Why a shared cache must not use a remembered response for a request without asking; `undefined` if it may. */
function whyNot(
  { path, request, response, status, atMs }: Remembered,
  presentedPath: string,
  method: string,
  presented: Headers,
  nowMs: number,
  originFailed: boolean,
): string | undefined {
  // §4: "The presented target URI and that of the stored response match", and the method allows it.
  if (path !== presentedPath) return 'another URI'
  if (method !== 'GET' && method !== 'HEAD') return 'another method'

  // §3: what may be stored.
  const control = directives(response.get('cdn-cache-control') ?? response.get('cache-control') ?? '')
  const isTargeted = response.has('cdn-cache-control')
  if (directives(request.get('cache-control') ?? '').has('no-store'))
    return '§5.2.1.5: the request said no-store'
  if (control.has('no-store')) return '§5.2.2.5: no-store'
  if (control.has('private')) return '§5.2.2.7: private'
  const isShared = control.has('public') || control.has('must-revalidate') || control.has('s-maxage')
  if (request.has('authorization') && !isShared) return '§3.5: Authorization'
  if (status === 206 || status === 304) return '§3.3'
  if (response.has('set-cookie')) return 'our own rule: a cookie'

  // §4.1: Vary.
  const vary = (response.get('vary') ?? '').split(',').map(name => name.trim().toLowerCase())
  if (vary.includes('*')) return '§4.1: *'
  for (const name of vary) {
    if (name !== '' && request.get(name) !== presented.get(name)) return `§4.1: ${name} differs`
  }

  // §4.2.3: its age; requests here take no time.
  const date = Date.parse(response.get('date') ?? '')
  const apparent = Number.isNaN(date) ? 0 : Math.max(0, (atMs - date) / 1000)
  const ageField = response.get('age') ?? ''
  const received = /^\d+$/.test(ageField) ? Number(ageField) : 0
  const age = Math.max(apparent, received) + (nowMs - atMs) / 1000

  // §4.2.1: its lifetime.
  const expires = response.get('expires')
  const lifetime = control.has('s-maxage')
    ? seconds(control.get('s-maxage'))
    : control.has('max-age')
      ? seconds(control.get('max-age'))
      : expires !== null && !isTargeted
        ? Math.max(0, ((Date.parse(expires) || 0) - (Number.isNaN(date) ? atMs : date)) / 1000)
        : 0
  const isFresh = age < lifetime

  // §5.2.2.4, §5.2.1: what needs the origin's consent.
  if (control.has('no-cache')) return '§5.2.2.4: no-cache'
  const wanted = directives(presented.get('cache-control') ?? '')
  if (wanted.has('no-cache') || wanted.has('no-store')) return '§5.2.1'
  if (wanted.has('max-age') && age > seconds(wanted.get('max-age'))) return '§5.2.1.1: max-age'
  if (wanted.has('min-fresh') && lifetime - age < seconds(wanted.get('min-fresh')))
    return '§5.2.1.3: min-fresh'
  if (isFresh) return undefined

  // §4.2.4: stale.
  if (control.has('must-revalidate') || control.has('proxy-revalidate'))
    return '§4.2.4: stale, and must be revalidated'
  const staleness = age - lifetime
  const window = control.get('stale-while-revalidate')
  if (window !== undefined && staleness < seconds(window) && isWithin(wanted.get('max-stale'), staleness))
    return undefined
  const errorWindow = control.get('stale-if-error')
  if (originFailed && errorWindow !== undefined && staleness < seconds(errorWindow)) return undefined
  if (wanted.has('max-stale') && !control.has('s-maxage')) {
    const bound = wanted.get('max-stale')
    if (bound === '' || staleness <= seconds(bound)) return undefined
  }
  return '§4.2.4: stale'
}

/** What the client says that it would take at most. */
const isWithin = (bound: string | undefined, staleness: number): boolean =>
  bound === undefined || bound === '' || staleness <= seconds(bound)

/** §5.2: the first of each counts. */
function directives(text: string): Map<string, string> {
  const found = new Map<string, string>()
  for (const part of text.split(',')) {
    const [name = '', value = ''] = part.trim().toLowerCase().split('=')
    if (name !== '' && !found.has(name)) found.set(name, value)
  }
  return found
}

const seconds = (text: string | undefined): number => (/^\d+$/.test(text ?? '') ? Number(text) : 0)

const date = (secondsFromStart: number) => new Date(NOW_MS + secondsFromStart * 1000).toUTCString()

const pick = <T>(...values: readonly T[]) => fc.constantFrom(...values)
const few = (...values: readonly string[]) =>
  fc
    .subarray([...values], { maxLength: 3 })
    .chain(chosen => fc.shuffledSubarray(chosen, { minLength: chosen.length }))

const responseControl = few(
  'max-age=10',
  'max-age=30',
  'max-age=0',
  'max-age=x',
  's-maxage=20',
  'public',
  'private',
  'no-store',
  'no-cache',
  'must-revalidate',
  'proxy-revalidate',
  'stale-while-revalidate=15',
  'stale-if-error=60',
  'immutable',
  'foo=bar',
)
const requestControl = few(
  'no-cache',
  'no-store',
  'max-age=5',
  'max-age=0',
  'min-fresh=5',
  'max-stale=10',
  'max-stale',
)

type Pairs = [string, string][]
const maybe = (name: string, values: fc.Arbitrary<string>, weight = 3): fc.Arbitrary<Pairs> =>
  fc.oneof(
    { arbitrary: fc.constant<Pairs>([]), weight },
    { arbitrary: values.map((value): Pairs => [[name, value]]), weight: 1 },
  )

const listed = (parts: fc.Arbitrary<string[]>) => parts.map(each => each.join(', '))

const response = fc
  .tuple(
    fc.oneof(
      { arbitrary: listed(responseControl).map((value): Pairs => [['cache-control', value]]), weight: 4 },
      { arbitrary: fc.constant<Pairs>([]), weight: 1 },
    ),
    maybe(
      'cdn-cache-control',
      pick('max-age=25', 'no-store', 'max-age=0', 'private, max-age=9', 'must-revalidate', 'foo'),
      6,
    ),
    maybe('expires', pick(date(20), date(-5), date(60), '0', 'nonsense')),
    maybe('date', pick(date(0), date(-5), date(10), 'nonsense'), 1),
    maybe('age', pick('3', '40', '-1', 'x'), 5),
    maybe('vary', pick('x-a', 'x-a, x-b', '*', 'accept'), 2),
    maybe('etag', pick('"1"', 'W/"2"')),
    maybe('set-cookie', pick('a=b'), 8),
  )
  .map(pairs => pairs.flat())

const request = fc
  .tuple(
    maybe('cache-control', listed(requestControl), 4),
    maybe('authorization', pick('a', 'b'), 6),
    maybe('x-a', pick('1', '2'), 2),
    maybe('x-b', pick('1', '2'), 2),
    maybe('accept', pick('1', '2'), 2),
  )
  .map(pairs => pairs.flat())

const step = fc.record({
  path: pick('/a', '/a', '/b'),
  method: fc.oneof({ arbitrary: pick('GET'), weight: 12 }, { arbitrary: pick('HEAD', 'POST'), weight: 1 }),
  request,
  response,
  status: fc.oneof({ arbitrary: pick(200), weight: 6 }, { arbitrary: pick(404, 301, 500, 203), weight: 1 }),
  waitSeconds: pick(0, 0, 1, 4, 9, 12, 31),
})

const describeReuse = ({ request, response, atMs }: Remembered, presented: Pairs): string =>
  JSON.stringify({ request: [...request], response: [...response], at: (atMs - NOW_MS) / 1000, presented })
