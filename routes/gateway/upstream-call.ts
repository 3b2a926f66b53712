import { type SkerryError, toSkerryError } from '../../src/core/errors.ts'
import { WatchedBody } from '../../src/core/watched-body.ts'
import type { Exchange } from '../policies/exchange.ts'

/** What is the same for every server that a request is sent to. */
export interface PreparedCall {
  readonly exchange: Exchange
  /** With its query. */
  readonly path: string
  readonly headers: Headers
  /** When the server must have begun to answer: milliseconds since the epoch. */
  readonly deadlineMs: number
}

/** What came of a call: an answer, or whose fault it is that there is none. */
export type Outcome = { readonly response: Response } | CallFailure

export type CallFailure =
  /** `connection` and `timeout` are the server's fault, the others the client's. */
  | {
      readonly failure: 'connection' | 'timeout' | 'body broken' | 'body late' | 'path'
      readonly error?: unknown
    }
  /** What holds bodies to their limit and form ended the call. */
  | { readonly failure: 'refused'; readonly refusal: SkerryError }

/**
 * Sends an exchange's request to one server, and waits for the head of its answer. Its body is not waited for, nor read.
 *
 * The time for the answer begins anew with each piece of the request's body: a slow client is not a slow server.
 */
export async function callServer(
  url: string,
  { exchange, headers, deadlineMs }: PreparedCall,
  now: () => number,
): Promise<Outcome> {
  const { request } = exchange
  const call = new AbortController()
  const upload = uploadOf(request, now, call)
  const timeoutMs = deadlineMs - now()
  let isLate = false
  let timer: ReturnType<typeof setTimeout> | undefined
  const wait = (ms: number) => {
    timer = setTimeout(() => {
      const leftMs = (upload?.lastPieceMs ?? 0) + timeoutMs - now()
      if (leftMs > 0) return wait(leftMs)
      isLate = true
      call.abort()
    }, ms)
  }
  // The limit of bodies ends the call so, and so does a client that is gone.
  const end = () => call.abort(request.signal.reason)
  request.signal.addEventListener('abort', end, { once: true })
  if (request.signal.aborted) end()
  wait(Math.max(timeoutMs, 0))
  try {
    const { method } = request
    const init = { method, headers, redirect: 'manual', signal: call.signal } as const
    const body = upload && withLength(upload.stream, request.headers.get('content-length'))
    const sent = new Request(url, body ? { ...init, body, ...STREAMING } : init)
    const response = await exchange.services.fetch(sent, exchange.rawBody ? RAW : undefined)
    const { status } = response
    if ((status < 200 || status > 599) && status !== 101) {
      throw new RangeError(`It answered with status ${status}, which can't be passed on.`)
    }
    if (exchange.rawBody && response.headers.has('content-encoding')) exchange.rawBody = 'given'
    return { response }
  } catch (error) {
    request.signal.removeEventListener('abort', end)
    if (upload?.isBroken) return { failure: 'body broken', error }
    if (request.signal.aborted) {
      const refusal = toSkerryError(request.signal.reason)
      return refusal ? { failure: 'refused', refusal } : { failure: 'body broken', error }
    }
    if (isLate) return { failure: upload?.isWaitingForClient ? 'body late' : 'timeout', error }
    return { failure: 'connection', error }
  } finally {
    if (timer !== undefined) clearTimeout(timer)
  }
}

/** Watched, as an upstream must not be taken for dead because clients send broken bodies. */
function uploadOf(request: Request, now: () => number, call: AbortController): WatchedBody | undefined {
  if (!request.body) return undefined
  return new WatchedBody(request.body, { now, onBroken: error => call.abort(error) })
}

/** Without this, workerd sends a stream made in JavaScript chunked; elsewhere it always is. */
function withLength(body: ReadableStream<Uint8Array>, announced: string | null): ReadableStream<Uint8Array> {
  if (announced === null || typeof FixedLengthStream !== 'function') return body
  const fixed = new FixedLengthStream(Number(announced))
  // Whoever reads the other end learns of failures.
  body.pipeTo(fixed.writable).catch(() => {})
  return fixed.readable
}

/** For who reads the body: as it was sent, not decompressed. */
const RAW: RequestInit = { encodeResponseBody: 'manual' }

/** Node wants to be told that it can't wait for the whole body before it sends; other runtimes take no notice. */
const STREAMING: object = { duplex: 'half' }
