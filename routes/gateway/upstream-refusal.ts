import { LIMITS } from '../../src/core/limits.ts'
import { hopsOf } from '../../src/core/loop.ts'
import type { Exchange } from '../policies/exchange.ts'
import type { CallFailure } from './upstream-call.ts'

/** The answer to a request that is not passed on to an upstream; `undefined` = it may be. */
export function refusalOf(request: Request, exchange: Exchange): Response | undefined {
  const { method, headers, body } = request
  const hops = hopsOf(headers.get('cdn-loop'))
  if (hops >= LIMITS.internalHops) {
    return exchange.refuse('ERR_LOOP', `The request went through this platform ${hops} times.`)
  }
  if (method === 'TRACE' || method === 'CONNECT') {
    return exchange.refuse('ERR_BAD_REQUEST', `${method} is not passed on to upstreams.`)
  }
  // The runtime can't send it, and without it the upstream would answer another question.
  if ((method === 'GET' || method === 'HEAD') && body) {
    return exchange.refuse(
      'ERR_BAD_REQUEST',
      `A ${method} request with a body is not passed on: use POST or QUERY.`,
    )
  }
  return undefined
}

/** The answer where an upstream gave none. It names no address: those are in the log. */
export function respondFailure(exchange: Exchange, outcome: CallFailure, timeoutMs: number): Response {
  const within = `within ${timeoutMs} ms`
  switch (outcome.failure) {
    case 'timeout':
      return exchange.refuse('ERR_UPSTREAM_TIMEOUT', `The upstream did not begin to answer ${within}.`)
    case 'body late':
      return exchange.refuse('ERR_BAD_REQUEST', `The rest of the request's body did not come ${within}.`)
    case 'body broken':
      return exchange.refuse('ERR_BAD_REQUEST', "The request's body broke off, or is malformed.")
    case 'refused':
      return exchange.refuse(outcome.refusal.code, outcome.refusal.detail)
    case 'path':
      return exchange.refuse('ERR_PATH_REFUSED', 'The path leads out of that of the upstream.')
    case 'connection':
      return exchange.refuse(
        'ERR_UPSTREAM_FAILED',
        'The upstream of this route could not be reached, or broke off.',
      )
  }
}
