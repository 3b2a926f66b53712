import { type ErrorCode, toSkerryError } from '../../../src/core/errors.ts'
import type { Exchange } from '../exchange.ts'

/** Refuses a request without a token: a challenge without an error, as nothing was wrong yet (RFC 6750 §3.1). */
export function refuseMissing(exchange: Exchange, realm: string, code: ErrorCode, places: string): Response {
  exchange.trace?.note('The request has no token.', { looked_at: places })
  return exchange.refuse(code, `Send a token as ${places}.`, {
    'www-authenticate': `Bearer realm="${realm}"`,
  })
}

/** Refuses a token (RFC 6750 §3.1). */
export function refuseToken(exchange: Exchange, realm: string, code: ErrorCode, detail: string): Response {
  return exchange.refuse(code, detail, {
    'www-authenticate': `Bearer realm="${realm}", error="invalid_token", error_description="${quotable(detail)}"`,
  })
}

/**
 * Refuses because nobody can tell whether the token is good: the provider is out of reach. What failed is for the
 * operator, in the trace, not for the caller. Other errors are thrown on.
 */
export function refuseUnknown(exchange: Exchange, error: unknown): Response {
  const failure = toSkerryError(error)
  if (failure?.code !== 'ERR_IDENTITY_PROVIDER') throw error
  exchange.trace?.note('The identity provider can not be asked.', { cause: failure.detail })
  return exchange.refuse('ERR_IDENTITY_PROVIDER', 'The identity provider can not be asked right now.')
}

/** A text as it may stand between quotes in a challenge (RFC 6750 §3). */
export function quotable(text: string): string {
  return text.replaceAll('"', "'").replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, '?')
}
