import type { CacheKey } from './store.ts'
import type { Candidate } from './write.ts'

/** One call of a function's cache. */
export type CacheCall =
  | { readonly method: 'GET'; readonly key: CacheKey; readonly headers: Headers }
  | { readonly method: 'PUT'; readonly key: CacheKey; readonly response: Candidate }
  | { readonly method: 'DELETE'; readonly key: CacheKey }

/**
 * What the facade asks (bindings/cache/facade.prelude.js), from `request.cf`; `undefined` if it is nothing of the
 * kind: whoever gets hold of the stub may send anything.
 */
export function readCall(request: Request, readsBrotli: boolean): CacheCall | undefined {
  const cf = (request.cf ?? {}) as Readonly<Record<string, unknown>>
  const { name, url } = cf
  if (typeof name !== 'string' || typeof url !== 'string') return undefined
  const key: CacheKey = { name, url }
  switch (request.method) {
    case 'GET':
      return { method: 'GET', key, headers: request.headers }
    case 'DELETE':
      return { method: 'DELETE', key }
    case 'PUT': {
      const response = readResponse(cf, request.body, readsBrotli)
      return response && { method: 'PUT', key, response }
    }
    default:
      return undefined
  }
}

function readResponse(
  { status, headers, isPersonal, isStream }: Readonly<Record<string, unknown>>,
  body: ReadableStream<Uint8Array> | null,
  readsBrotli: boolean,
): Candidate | undefined {
  if (typeof status !== 'number' || !Array.isArray(headers)) return undefined
  return {
    status,
    headers: new Headers(headers as [string, string][]),
    isPersonal: isPersonal !== false,
    body,
    isMarked: isStream === true,
    readsBrotli,
  }
}
