import type { Freshness } from './freshness.ts'
import type { Field } from './stored-fields.ts'
import type { VaryPair } from './vary.ts'

/** What is known of a stored response. */
export interface EntryInit {
  readonly status: number
  readonly statusText: string
  readonly fields: readonly Field[]
  /** As it came, with its content coding unless the runtime puts that on; `null` for statuses without one. */
  readonly body: Uint8Array | null
  readonly isRuntimeCoded: boolean
  /** The whole URL that it answered: purges go by it. */
  readonly url: string
  /** The same without what the key ignores: it is stored under it. */
  readonly uri: string
  /** What tells entries of one URL apart, beside `vary`: policy, route, version and what else is in the key. */
  readonly partition: string
  readonly vary: readonly VaryPair[]
  readonly tags: readonly string[]
  readonly freshness: Freshness
  /** It may be given to callers that present credentials. */
  readonly isShareable: boolean
  /** When it came, and how old it was then; milliseconds. */
  readonly responseMs: number
  readonly initialAgeMs: number
  /** Its `Date`, else when it came. */
  readonly dateMs: number
  /** The last purge that was known when it was asked for: later ones may be about it. */
  readonly purgeSequence: number
}

/** A stored response. What it says never changes: a validated one is replaced. */
export class Entry {
  readonly init: EntryInit
  readonly etag: string | undefined
  readonly lastModified: string | undefined
  /** Its bytes have a content coding. */
  readonly isCoded: boolean
  /** Until then it may be used without asking; 0 = never. */
  readonly freshUntilMs: number
  /** When its lifetime ends, asked for or not. */
  readonly staleAtMs: number
  /** What it takes of the memory budget. */
  readonly bytes: number
  /** The name of our cache status as it was put in front of it by caches behind. */
  readonly innerStatus: string
  #headers: Headers | undefined
  #second = -1
  #template: Response | undefined
  #templateSecond = -1
  #unchanged: Response | undefined
  #unchangedSecond = -1

  constructor(init: EntryInit) {
    const { freshness, responseMs, initialAgeMs, fields, body } = init
    this.init = init
    this.etag = find(fields, 'etag')
    this.lastModified = find(fields, 'last-modified')
    this.isCoded = !init.isRuntimeCoded && find(fields, 'content-encoding') !== undefined
    this.innerStatus = find(fields, 'cache-status') ?? ''
    this.staleAtMs = responseMs - initialAgeMs + freshness.lifetimeMs
    this.freshUntilMs = freshness.mustValidate ? 0 : this.staleAtMs
    let chars = init.url.length + init.partition.length
    for (const [name, value] of fields) chars += name.length + value.length
    this.bytes = (body?.byteLength ?? 0) + chars * 2 + OVERHEAD_BYTES
  }

  get body(): Uint8Array | null {
    return this.init.body
  }

  /** How old it is, in milliseconds (RFC 9111 §4.2.3). */
  ageMs(nowMs: number): number {
    return this.init.initialAgeMs + Math.max(0, nowMs - this.init.responseMs)
  }

  /**
   * Its header with `Age`, and `Cache-Status` if wanted, as of now. To be given to a Response, which copies it, at
   * once: it is made at the first use and changed once a second, as each line written costs almost a microsecond.
   */
  headersAt(nowMs: number, showsStatus: boolean): Headers {
    const headers = this.#headers ?? this.#makeHeaders()
    const second = Math.floor(this.ageMs(nowMs) / 1000)
    if (second !== this.#second) {
      this.#second = second
      headers.set('age', String(second))
      if (showsStatus) {
        const ttl = Math.ceil((this.staleAtMs - nowMs) / 1000)
        headers.set('cache-status', this.withInnerStatus(`Skerry; hit; ttl=${ttl}`))
      }
    }
    return headers
  }

  /**
   * The same as a Response without body, to make others from: workerd takes all it needs from one in a single step,
   * and looks up six properties of anything else.
   */
  templateAt(nowMs: number, showsStatus: boolean): Response {
    const headers = this.headersAt(nowMs, showsStatus)
    if (this.#template === undefined || this.#templateSecond !== this.#second) {
      this.#templateSecond = this.#second
      this.#template = new Response(null, this.initWith(headers))
    }
    return this.#template
  }

  /** How a Response of it begins. Bodies are kept as they are on the wire, so a coding must not be put on them once more. */
  initWith(headers: Headers): ResponseInit {
    const { status, statusText } = this.init
    return this.isCoded
      ? { status, statusText, headers, encodeBody: 'manual' }
      : { status, statusText, headers }
  }

  /**
   * The same as a 304, without what describes a body: one Response for all who ask within a second. It has no body
   * to be used up, and to make one costs more than all the rest of the answer.
   */
  unchangedAt(nowMs: number, showsStatus: boolean): Response {
    const source = this.headersAt(nowMs, showsStatus)
    if (this.#unchanged === undefined || this.#unchangedSecond !== this.#second) {
      this.#unchangedSecond = this.#second
      this.#unchanged = new Response(null, { status: 304, headers: withoutBodyFields(source) })
    }
    return this.#unchanged
  }

  /** A fresh copy of its header with `Age`. */
  copyHeaders(nowMs: number): Headers {
    const headers = new Headers(this.init.fields as [string, string][])
    headers.set('age', String(Math.floor(this.ageMs(nowMs) / 1000)))
    return headers
  }

  withInnerStatus(status: string): string {
    return this.innerStatus === '' ? status : `${this.innerStatus}, ${status}`
  }

  #makeHeaders(): Headers {
    this.#headers = new Headers(this.init.fields as [string, string][])
    return this.#headers
  }
}

/** What describes a body stays away from an answer that has none (RFC 9110 §15.4.5). */
export function withoutBodyFields(source: Headers): Headers {
  const headers = new Headers(source)
  for (const name of BODY_FIELDS) headers.delete(name)
  return headers
}

const BODY_FIELDS = [
  'content-type',
  'content-length',
  'content-encoding',
  'content-language',
  'content-range',
  'content-md5',
]

function find(fields: readonly Field[], wanted: string): string | undefined {
  return fields.find(([name]) => name === wanted)?.[1]
}

/** An entry with its Headers, measured: 4.9 KB beside its text (hot entries; cold ones 1.3 KB). */
const OVERHEAD_BYTES = 3000
