/** A `Content-Type`, as far as it matters here. */
export interface MediaType {
  /** `application/json`, in lower case, without parameters. */
  readonly essence: string
  /** In lower case. */
  readonly charset: string | undefined
}

/** Reads a `Content-Type`; `undefined` if there is none or it can't be read. */
export function parseMediaType(header: string | null): MediaType | undefined {
  if (header === null || header.length > MAX_CHARS) return undefined
  const [essence = '', ...parameters] = header.toLowerCase().split(';')
  if (!/^[\w!#$&^.+-]+\/[\w!#$&^.+-]+$/.test(essence.trim())) return undefined
  const charset = parameters.map(each => /^\s*charset="?([\w-]+)"?\s*$/.exec(each)?.[1]).find(Boolean)
  return { essence: essence.trim(), charset }
}

/** Whether a type is JSON by its name: `application/json`, or one that ends with `+json`. */
export function isJson(essence: string): boolean {
  return essence.endsWith('/json') || essence.endsWith('+json')
}

/** Whether a type fits a pattern: itself, `text/*`, `application/*+json` or `*` on both sides. */
export function fitsType(essence: string, pattern: string): boolean {
  const star = pattern.indexOf('*')
  if (star < 0) return essence === pattern
  if (pattern === '*/*') return true
  const [head, tail] = [pattern.slice(0, star), pattern.slice(star + 1)]
  return essence.length > head.length + tail.length && essence.startsWith(head) && essence.endsWith(tail)
}

const MAX_CHARS = 256
