import { request as httpRequest, type IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'

/** What can be sent. A stream is sent chunked, as it comes. */
export type Body = string | Uint8Array<ArrayBuffer> | FormData | ReadableStream<Uint8Array>

/** A request's method, headers and body. */
export interface SendInit {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Body
  readonly signal?: AbortSignal
}

/** Where a server listens that has no port. */
export interface UnixSocket {
  readonly socketPath: string
}

/** Gives up on an answer's head after this long. */
const TIMEOUT_MS = 60_000

/**
 * A request to this machine under any host name: Node doesn't resolve `*.localhost`, and its fetch() can't send a
 * Host header. Redirects are not followed, and each request has a connection of its own.
 */
export async function request(
  port: number | UnixSocket,
  host: string,
  path: string,
  init: SendInit,
): Promise<Response> {
  const to = typeof port === 'number' ? { host: '127.0.0.1', port } : port
  const { method = 'GET', body } = init
  const streamed = body instanceof ReadableStream
  const encoded = body === undefined || streamed ? undefined : new Response(body)
  const bytes = encoded && Buffer.from(await encoded.arrayBuffer())
  const type = body instanceof FormData ? encoded?.headers.get('content-type') : undefined
  const headers = {
    ...(type && { 'content-type': type }),
    ...(bytes && { 'content-length': String(bytes.byteLength) }),
    ...init.headers,
    host,
  }
  return new Promise((resolve, reject) => {
    const signal = init.signal ?? AbortSignal.timeout(TIMEOUT_MS)
    const outgoing = httpRequest({ ...to, path, method, headers, agent: false, signal })
    outgoing.on('error', reject)
    outgoing.on('response', incoming => resolve(toResponse(incoming)))
    // Node would wait for the first part of the body.
    if (streamed) outgoing.flushHeaders()
    if (streamed)
      Readable.fromWeb(body as never)
        .on('error', reject)
        .pipe(outgoing)
    else outgoing.end(bytes)
  })
}

function toResponse(incoming: IncomingMessage): Response {
  const headers = new Headers()
  for (let at = 0; at < incoming.rawHeaders.length; at += 2) {
    headers.append(incoming.rawHeaders[at] ?? '', incoming.rawHeaders[at + 1] ?? '')
  }
  const status = incoming.statusCode ?? 0
  const isBare = [101, 204, 205, 304].includes(status)
  if (isBare) incoming.resume()
  const body = isBare ? null : (Readable.toWeb(incoming) as unknown as ReadableStream<Uint8Array>)
  return new Response(body, { status, statusText: incoming.statusMessage ?? '', headers })
}
