import * as v from 'valibot'
import type { Exchange } from './exchange.ts'
import { definePolicy } from './policy.ts'

const options = v.strictObject({
  max_bytes: v.pipe(
    v.pipe(v.number(), v.integer('It must be a whole number.'), v.minValue(0), v.maxValue(104_857_600)),
    v.description('The longest body that gets through.'),
  ),
  require_length: v.pipe(
    v.optional(v.boolean(), false),
    v.description('Refuses bodies whose length isn’t announced (411).'),
  ),
})

/**
 * Refuses bodies that are too long: announced ones before a byte is read, others when they exceed the bound.
 *
 * The target of a body that turns out too long on its way gets it cut off with an error, and the caller 413, unless
 * the target has answered by then.
 */
export const bodyLimitPolicy = definePolicy({
  type: 'body-limit',
  summary: 'Refuses requests whose body is too long.',
  options,
  create: ({ max_bytes, require_length }) => ({
    around(exchange, next) {
      const { request } = exchange
      if (!request.body) return next()
      const announced = lengthOf(request)
      if (announced !== undefined) {
        return announced > max_bytes ? Promise.resolve(refuse(exchange, max_bytes)) : next()
      }
      if (require_length) {
        const detail = 'The length of the body must be announced here, by Content-Length.'
        return Promise.resolve(exchange.refuse('ERR_LENGTH_REQUIRED', detail))
      }
      return countOnTheWay(exchange, max_bytes, next)
    },
    explain(exchange) {
      const announced = lengthOf(exchange.request)
      exchange.trace?.note('The body may have so many bytes.', { max_bytes, announced })
      return announced !== undefined && announced > max_bytes ? refuse(exchange, max_bytes) : undefined
    },
  }),
})

/** The announced length of a body; `undefined` if there is none that can be believed. */
function lengthOf({ headers }: Request): number | undefined {
  const announced = headers.get('content-length')
  return announced !== null && /^\d{1,15}$/.test(announced) ? Number(announced) : undefined
}

async function countOnTheWay(
  exchange: Exchange,
  maxBytes: number,
  next: () => Promise<Response>,
): Promise<Response> {
  const { promise: exceeded, resolve } = Promise.withResolvers<Response>()
  const aborted = new AbortController()
  let seen = 0
  const counter = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      seen += chunk.byteLength
      if (seen <= maxBytes) {
        controller.enqueue(chunk)
        return
      }
      resolve(refuse(exchange, maxBytes))
      aborted.abort()
      // To another isolate, a stream that fails looks as if it had ended (workerd 2026-11-17): so it does neither.
      return new Promise(() => {})
    },
  })
  const { request } = exchange
  const body = request.body?.pipeThrough(counter) ?? null
  // A client that goes away still ends the call.
  const signal = AbortSignal.any([request.signal, aborted.signal])
  exchange.request = new Request(request, { body, signal, ...HALF })
  const answer = next()
  answer.catch(() => {})
  return Promise.race([answer, exceeded])
}

/** Node wants to be told so for a stream as body; workerd doesn't know it. */
const HALF = { duplex: 'half' } as object

function refuse(exchange: Exchange, maxBytes: number): Response {
  exchange.trace?.note('The body is too long.', { max_bytes: maxBytes })
  return exchange.refuse('ERR_BODY_TOO_LARGE', `The body may have ${maxBytes} bytes here, not more.`)
}
