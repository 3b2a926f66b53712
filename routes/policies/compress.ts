import * as v from 'valibot'
import { chooseEncoding } from '../../src/core/accept-encoding.ts'
import { type Exchange, withHeaders } from './exchange.ts'
import { HeaderEdits } from './header-edits.ts'
import { definePolicy } from './policy.ts'

const options = v.strictObject({
  encodings: v.pipe(
    v.optional(v.pipe(v.array(v.picklist(['br', 'gzip'])), v.minLength(1, 'The list must not be empty.')), [
      'br',
      'gzip',
    ]),
    v.description('What may be used, the best first. The runtime has no zstd.'),
  ),
  min_bytes: v.pipe(
    v.optional(v.pipe(v.number(), v.integer('It must be a whole number.'), v.minValue(0)), 1024),
    v.description('Shorter bodies stay as they are, where their length is known.'),
  ),
  types: v.pipe(
    v.optional(v.array(v.pipe(v.string(), v.toLowerCase()))),
    v.description(
      'Media types that are compressed, such as `text/*` or `application/json`; by default all that is text by nature.',
    ),
  ),
})

type CompressOptions = v.InferOutput<typeof options>

/**
 * Compresses answers for callers that understand it (RFC 9110, section 12.5.3). What is compressed already, partial,
 * or says `no-transform` stays as it is; a strong ETag becomes a weak one, for the bytes are others now.
 */
export const compressPolicy = definePolicy({
  type: 'compress',
  summary: 'Compresses answers with brotli or gzip for callers that understand it.',
  options,
  create: options => ({
    response(response, exchange) {
      if (!mayBeCompressed(response, options)) return response
      const edits = new HeaderEdits()
      edits.addToList('vary', 'Accept-Encoding')
      const encoding = chooseEncoding(
        exchange.request.headers.get('accept-encoding'),
        usable(options.encodings),
      )
      exchange.trace?.note('The answer may be compressed.', { encoding: encoding ?? 'none' })
      if (!encoding || exchange.request.method === 'HEAD') return withHeaders(response, edits)
      // The runtime compresses the body of a response that has this header, as Cloudflare's does.
      edits.set('content-encoding', encoding)
      for (const name of CHANGED) edits.delete(name)
      const etag = response.headers.get('etag')
      if (etag?.startsWith('"')) edits.set('etag', `W/${etag}`)
      return withHeaders(IS_WORKER ? codedByRuntime(response) : zip(response), edits)
    },
    explain: (exchange: Exchange) => {
      const asked = exchange.request.headers.get('accept-encoding')
      exchange.trace?.note('Answers are compressed like this, if their type and length allow.', {
        encoding: chooseEncoding(asked, options.encodings) ?? 'none',
      })
      return undefined
    },
  }),
})

/** Elsewhere than in a Worker, bodies are sent as they are, whatever their headers say. */
const IS_WORKER = typeof WebSocketPair === 'function'

function usable(encodings: CompressOptions['encodings']): CompressOptions['encodings'] {
  return IS_WORKER ? encodings : encodings.filter(encoding => encoding === 'gzip')
}

function zip(response: Response): Response {
  return new Response(response.body?.pipeThrough(new CompressionStream('gzip')) ?? null, response)
}

/** A body that was asked for as it is on the wire (`exchange.rawBody`) would stay so, whatever its header says. */
function codedByRuntime({ status, statusText, headers, body }: Response): Response {
  return new Response(body, { status, statusText, headers, encodeBody: 'automatic' })
}

function mayBeCompressed(response: Response, { min_bytes, types }: CompressOptions): boolean {
  const { status, headers, body } = response
  if (!body || status < 200 || status === 204 || status === 206 || status === 304) return false
  if (headers.has('content-encoding') || headers.has('content-range')) return false
  if (/(^|[\s,])no-transform\b/i.test(headers.get('cache-control') ?? '')) return false
  const length = headers.get('content-length')
  if (length !== null && Number(length) < min_bytes) return false
  const type = headers.get('content-type')?.split(';', 1)[0]?.trim().toLowerCase() ?? ''
  return types ? types.some(pattern => matchesType(type, pattern)) : isText(type)
}

function matchesType(type: string, pattern: string): boolean {
  return pattern.endsWith('/*') ? type.startsWith(pattern.slice(0, -1)) : type === pattern
}

/** Events must not wait in a compressor until there are enough of them. */
function isText(type: string): boolean {
  if (type === 'text/event-stream') return false
  return (
    type.startsWith('text/') ||
    /^(application|image|model)\/(.*\+)?(json|xml|javascript|wasm|x-ndjson|graphql|manifest|yaml|svg|toml)$/.test(
      type,
    ) ||
    type === 'image/svg+xml' ||
    type === 'application/xhtml+xml'
  )
}

/** What says something of the bytes that go out. */
const CHANGED = ['content-length', 'accept-ranges', 'content-md5', 'digest', 'content-digest', 'repr-digest']
