/**
 * The form in which a path is compared with patterns. The target never sees it.
 *
 * One resource has many spellings: `@me` and `%40me`, `é` as one character or as two, full-width letters, path
 * parameters (`/admin;x=1`) that some servers strip and others keep. All of them have the same key, so that none
 * of them slips past a route that names the resource to a broader one.
 */

/** The part of a gateway file's `paths` that keys depend on. */
export interface KeyOptions {
  readonly case: 'sensitive' | 'insensitive'
}

/** Whether a normalised path is its own key, apart from case; nearly all are. */
export function isPlain(path: string): boolean {
  return path.indexOf('%') < 0 && path.indexOf(';') < 0
}

/**
 * The key of a whole path: as many segments as the path has.
 *
 * @param path normalised (routes/gateway/path.ts), so ASCII and with whole escapes
 */
export function toKey(path: string, options: KeyOptions): string {
  if (isPlain(path)) return options.case === 'insensitive' ? path.toLowerCase() : path
  return path
    .split('/')
    .map(segment => toSegmentKey(segment, options))
    .join('/')
}

/**
 * The key of one segment, or of a piece of one: escapes decoded but for `%2F` and `%25`, compatible characters made
 * one (Unicode's NFKC), path parameters left out.
 *
 * @throws URIError if its escapes are not UTF-8
 */
export function toSegmentKey(segment: string, options: KeyOptions): string {
  const end = segment.search(PARAMETERS)
  let key = end < 0 ? segment : segment.slice(0, end)
  if (key.includes('%')) key = decodeURIComponent(key.replaceAll('%25', '%2525').replaceAll('%2F', '%252F'))
  // What only now becomes a slash (of `encoded_slashes = "keep"`) must not make two segments of one.
  if (!ASCII.test(key)) key = key.normalize('NFKC').replaceAll('/', '%2F')
  return options.case === 'insensitive' ? key.toLowerCase() : key
}

/** A piece of a key as it may stand in a path. */
export function fromKey(key: string): string {
  return encodeURIComponent(key).replaceAll('%25', '%')
}

/** `;` and all after it; also encoded, as servers differ in whether they decode or strip first. */
const PARAMETERS = /;|%3B/

// biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant
const ASCII = /^[\x00-\x7f]*$/
