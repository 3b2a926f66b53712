/**
 * The key in an `Idempotency-Key` header; `undefined` if it is none.
 *
 * The draft wants a text of a structured field (`"8e03978e"`); most clients send the bare key. Both are taken, and mean
 * the same. 1 to 255 visible ASCII characters.
 *
 * @see https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/07/
 */
export function parseIdempotencyKey(header: string): string | undefined {
  if (header.length > MAX_HEADER_CHARS) return undefined
  const text = header.trim()
  const key = text.startsWith('"') ? unquote(text) : text
  return key !== undefined && /^[\x21-\x7e]{1,255}$/.test(key) ? key : undefined
}

/** Quotes around, and within only what may be: `\"` and `\\`. Parameters behind it mean nothing. */
function unquote(text: string): string | undefined {
  const [, inside] = /^"((?:[^"\\]|\\["\\])*)"(?:\s*;.*)?$/.exec(text) ?? []
  return inside?.replaceAll(/\\(["\\])/g, '$1')
}

/** 255 characters, each escaped, and some parameters. */
const MAX_HEADER_CHARS = 1000
