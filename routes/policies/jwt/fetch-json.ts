import { reachOf } from '../../../src/core/addresses.ts'
import { SkerryError } from '../../../src/core/errors.ts'
import type { Services } from '../services.ts'
import { parseJsonObject } from './encoding.ts'

/** What an answer of an identity provider may cost. */
export interface FetchBounds {
  readonly timeoutMs: number
  readonly maxBytes: number
}

/** An answer with its JSON object; `undefined` if the status isn't 200. */
export interface FetchedJson {
  readonly status: number
  readonly headers: Headers
  readonly json: Readonly<Record<string, unknown>> | undefined
}

/**
 * Asks an identity provider for a JSON object. Redirects aren't followed: where keys come from is written, not told.
 *
 * @throws SkerryError ERR_IDENTITY_PROVIDER for no answer in time, one that is too large, or one that is no JSON object
 */
export async function fetchJson(
  services: Pick<Services, 'fetch'>,
  url: string,
  { timeoutMs, maxBytes }: FetchBounds,
  init: RequestInit = {},
): Promise<FetchedJson> {
  const controller = new AbortController()
  let timer: ReturnType<typeof setTimeout> | null = null
  // Not every way out heeds a signal, so the clock is also raced against.
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(providerError(url, `did not answer within ${timeoutMs} ms`))
      controller.abort()
    }, timeoutMs)
  })
  try {
    return await Promise.race([
      fetchNow(services, url, maxBytes, { ...init, signal: controller.signal }),
      late,
    ])
  } catch (cause) {
    if (cause instanceof SkerryError) throw cause
    throw providerError(url, 'can not be reached', cause)
  } finally {
    clearTimeout(timer)
  }
}

/** Whether credentials and keys may travel to and from there: https, or a way that doesn't leave the machine. */
export function isSafeUrl(url: string, allowHttp = false): boolean {
  const parsed = URL.parse(url)
  if (!parsed) return false
  if (parsed.username !== '' || parsed.password !== '' || parsed.hash !== '') return false
  if (parsed.protocol === 'https:') return true
  return parsed.protocol === 'http:' && (allowHttp || reachOf(parsed.hostname) === 'loopback')
}

/** The failure of an identity provider, for the operator: it names the URL, without its query. */
export function providerError(url: string, what: string, cause?: unknown): SkerryError {
  const [place] = url.split('?')
  return new SkerryError('ERR_IDENTITY_PROVIDER', `${place} ${what}.`, { cause })
}

async function fetchNow(
  services: Pick<Services, 'fetch'>,
  url: string,
  maxBytes: number,
  init: RequestInit,
): Promise<FetchedJson> {
  const headers = new Headers(init.headers)
  if (!headers.has('accept')) headers.set('accept', 'application/json')
  const response = await services.fetch(url, { ...init, headers, redirect: 'manual' })
  if (response.status !== 200) {
    await response.body?.cancel().catch(() => {})
    return { status: response.status, headers: response.headers, json: undefined }
  }
  const bytes = await readBounded(response, maxBytes)
  if (!bytes) throw providerError(url, `answered with more than ${maxBytes} bytes`)
  const json = parseJsonObject(bytes)
  if (!json) throw providerError(url, 'answered with something that is no JSON object')
  return { status: 200, headers: response.headers, json }
}

/** The whole body; `undefined` as soon as it is larger than allowed. */
async function readBounded(response: Response, maxBytes: number): Promise<Uint8Array | undefined> {
  if (!response.body) return new Uint8Array()
  const reader: ReadableStreamDefaultReader<Uint8Array> = response.body.getReader()
  const chunks: Uint8Array[] = []
  let length = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    length += value.length
    if (length > maxBytes) {
      await reader.cancel().catch(() => {})
      return undefined
    }
    chunks.push(value)
  }
  const bytes = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.length
  }
  return bytes
}
