import type { Exchange } from '../exchange.ts'
import type { Settings } from './plan.ts'
import { dropSecond } from './second-level.ts'

/** Whether a method changes nothing (RFC 9110 §9.2.1, IANA's registry); one that isn't known may change something. */
export function isSafe(method: string): boolean {
  return SAFE_METHODS.has(method)
}

/**
 * Forgets what is stored for the URL that was written to, and for those of the same origin that the answer names
 * (RFC 9111 §4.4): on this edge, in the shared store, and on the other edges.
 */
export async function forgetWritten(
  exchange: Exchange,
  url: string,
  response: Response,
  { key, memory, options }: Settings,
): Promise<void> {
  const { cache } = exchange.services
  const uris = [...new Set(urlsWritten(url, response.headers).map(each => key.uriOf(each)))]
  const ids = uris.map(uri => `${cache.scope} ${uri}`)
  const partition = key.partitionOf(exchange)
  const bases = uris.flatMap((uri, i) => {
    const stored = memory.store.peek(ids[i] as string)?.partitions.keys() ?? []
    return [...new Set([partition, ...stored])].map(each => `${uri} ${each}`)
  })
  memory.forget(ids)
  exchange.trace?.note('The request writes: what is stored for its URL is forgotten.', { urls: uris })
  if (!options.shared) return
  // Others must not get what was there before, once the writer has the answer; but a broken store must not keep it from him.
  const shared = Promise.allSettled([cache.forget?.(ids), ...bases.map(base => dropSecond(cache, base))])
  exchange.services.waitUntil(shared)
  await Promise.race([shared, new Promise(resolve => setTimeout(resolve, FORGET_MS))])
}

function urlsWritten(url: string, headers: Headers): string[] {
  const urls = [url]
  for (const name of ['location', 'content-location']) {
    const text = headers.get(name)
    if (text === null || text.length > MAX_URL_CHARS) continue
    const named = URL.parse(text, url)
    if (named && named.origin === new URL(url).origin) urls.push(named.href)
  }
  return urls
}

const SAFE_METHODS: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'OPTIONS',
  'TRACE',
  'PROPFIND',
  'REPORT',
  'SEARCH',
  'QUERY',
])

const FORGET_MS = 1000
const MAX_URL_CHARS = 16_384
