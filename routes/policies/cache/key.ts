import type { Exchange } from '../exchange.ts'
import type { KeyOptions } from './options.ts'

/** Which requests are for the same stored response. */
export class CacheKey {
  readonly #options: KeyOptions
  readonly #prefix: string
  readonly #keep: ((name: string) => boolean) | undefined
  readonly #isPlain: boolean
  readonly #partitions = new Map<string, string>()

  /** @param prefix tells the policy, and its options, from others */
  constructor(options: KeyOptions, prefix: string) {
    this.#options = options
    this.#prefix = prefix
    this.#keep = toFilter(options)
    this.#isPlain =
      options.headers.length === 0 && options.cookies.length === 0 && !options.device && !options.identity
  }

  /** The URL without what the operator wants ignored. Unsafe requests make forgotten what is stored under it. */
  uriOf(url: string): string {
    const { query, sort_query: sorts } = this.#options
    const hash = url.indexOf('#')
    const whole = hash < 0 ? url : url.slice(0, hash)
    if (query === 'all' && !this.#keep && !sorts) return whole
    const mark = whole.indexOf('?')
    if (mark < 0) return whole
    if (query === 'none') return whole.slice(0, mark)
    let pairs = whole.slice(mark + 1).split('&')
    const keep = this.#keep
    if (keep) pairs = pairs.filter(pair => keep(nameOf(pair)))
    // Of the same name, order may mean something; of different ones it doesn't.
    if (sorts) pairs.sort((a, b) => compare(nameOf(a), nameOf(b)))
    const rest = pairs.join('&')
    return rest === '' ? whole.slice(0, mark) : `${whole.slice(0, mark)}?${rest}`
  }

  /** What else tells stored responses of one URL apart: policy, route, version, and what the operator chose. */
  partitionOf(exchange: Exchange): string {
    const { route, version } = exchange
    let partition = this.#partitions.get(route)
    if (partition === undefined) {
      partition = `${this.#prefix} ${route}`
      if (this.#partitions.size > MAX_ROUTES) this.#partitions.clear()
      this.#partitions.set(route, partition)
    }
    if (this.#isPlain && version === undefined) return partition
    const { headers, cookies, device, identity } = this.#options
    const request = exchange.request.headers
    const caller = identity && exchange.identity
    return `${partition} ${JSON.stringify([
      version,
      headers.map(name => request.get(name)),
      cookies.length > 0 ? pickCookies(request.get('cookie'), cookies) : 0,
      device ? deviceOf(request.get('user-agent')) : 0,
      caller ? [caller.type, caller.policy, caller.subject] : 0,
    ])}`
  }

  /** Each identified caller has stored responses of its own. */
  get tellsCallersApart(): boolean {
    return this.#options.identity
  }
}

/** What kind of device a `User-Agent` is of, roughly. */
export function deviceOf(userAgent: string | null): 'desktop' | 'mobile' | 'tablet' {
  const text = (userAgent ?? '').slice(0, 512).toLowerCase()
  if (/ipad|tablet|kindle|silk|playbook/.test(text)) return 'tablet'
  if (text.includes('android')) return text.includes('mobile') ? 'mobile' : 'tablet'
  return /mobile|iphone|ipod|phone|blackberry|opera mini/.test(text) ? 'mobile' : 'desktop'
}

/** The values of the wanted cookies, in the order wanted. */
function pickCookies(header: string | null, wanted: readonly string[]): (string | null)[] {
  const pairs = (header ?? '').split(';').map(pair => pair.trim())
  return wanted.map(name => pairs.find(pair => pair.startsWith(`${name}=`))?.slice(name.length + 1) ?? null)
}

/** Which parameters count; `undefined` if all do. Names may end in `*`. */
function toFilter({ query, ignore_query: ignored }: KeyOptions): ((name: string) => boolean) | undefined {
  const kept = Array.isArray(query) ? query : undefined
  if (!kept && ignored.length === 0) return undefined
  return name => (!kept || matchesAny(kept, name)) && !matchesAny(ignored, name)
}

function matchesAny(patterns: readonly string[], name: string): boolean {
  return patterns.some(pattern =>
    pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern,
  )
}

/** A parameter's name, decoded: `%75tm_source` is not to pass for another one. */
function nameOf(pair: string): string {
  const equals = pair.indexOf('=')
  const raw = equals < 0 ? pair : pair.slice(0, equals)
  try {
    return decodeURIComponent(raw.replaceAll('+', ' '))
  } catch {
    return raw
  }
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

const MAX_ROUTES = 10_000
