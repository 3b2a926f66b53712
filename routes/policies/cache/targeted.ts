import { parseDictionary } from 'structured-headers'
import { type CacheControl, MAX_SECONDS } from './cache-control.ts'

/** The targeted fields that this cache goes by, first to last; the first that is valid and not empty counts. */
export const TARGETED_FIELDS = ['cloudflare-cdn-cache-control', 'cdn-cache-control'] as const

/** The one of them that is for this cache alone: clients don't get it. `CDN-Cache-Control` is for caches before this one too. */
export const OWN_TARGETED_FIELD = 'cloudflare-cdn-cache-control'

/**
 * What a targeted field says in place of `Cache-Control` and `Expires` (RFC 9213 §2.2); `undefined` if the response
 * has none that counts.
 */
export function readTargeted(headers: Headers): CacheControl | undefined {
  for (const name of TARGETED_FIELDS) {
    const text = headers.get(name)
    const control = text ? parseTargeted(text) : undefined
    if (control) return control
  }
  return undefined
}

/** A targeted field is a Structured Fields Dictionary; one that isn't, or has a value of a wrong type, is ignored. */
export function parseTargeted(text: string): CacheControl | undefined {
  let members: ReturnType<typeof parseDictionary>
  try {
    members = parseDictionary(text)
  } catch {
    return undefined
  }
  if (members.size === 0) return undefined
  const control: Record<string, unknown> = {}
  for (const [name, [value]] of members) {
    const seconds = SECONDS[name]
    const flag = FLAGS[name]
    if (seconds) {
      if (typeof value !== 'number' || !Number.isInteger(value) || value < 0) return undefined
      control[seconds] = Math.min(value, MAX_SECONDS)
    } else if (flag) {
      if (value === false) continue
      const fields = typeof value === 'string' && FIELDS[name]
      if (fields) control[fields] = value.split(',').map(field => field.trim().toLowerCase())
      else control[flag] = true
    }
  }
  return control
}

const SECONDS: Readonly<Record<string, keyof CacheControl | undefined>> = Object.assign(Object.create(null), {
  'max-age': 'maxAge',
  's-maxage': 'sMaxage',
  'stale-while-revalidate': 'staleWhileRevalidate',
  'stale-if-error': 'staleIfError',
})

const FLAGS: Readonly<Record<string, keyof CacheControl | undefined>> = Object.assign(Object.create(null), {
  'no-store': 'noStore',
  'no-cache': 'noCache',
  private: 'private',
  public: 'public',
  'must-revalidate': 'mustRevalidate',
  'proxy-revalidate': 'proxyRevalidate',
  'must-understand': 'mustUnderstand',
})

const FIELDS: Readonly<Record<string, keyof CacheControl | undefined>> = Object.assign(Object.create(null), {
  'no-cache': 'noCacheFields',
  private: 'privateFields',
})
