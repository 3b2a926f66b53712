/** How long a path to come back to may be; the login's cookie has room for no more. */
const MAX_LENGTH = 1000

/**
 * Where to go after a login, as a whole URL of our own origin: so no spelling of a path (`//host`, `/\host`,
 * `/.//host`) can lead to another host.
 *
 * @param wanted a path with query, from the request: a stranger's
 * @param avoid paths that would begin or end a session again
 * @returns the origin's `/` for anything else
 */
export function resolveReturnTo(wanted: string | null, origin: string, avoid: ReadonlySet<string>): string {
  const home = `${origin}/`
  if (!wanted || wanted.length > MAX_LENGTH) return home
  // Browsers take a backslash for a slash, and leave out tabs and line breaks.
  if (!/^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/.test(wanted)) return home
  const url = URL.parse(wanted, home)
  if (url?.origin !== origin || url.pathname.startsWith('//') || avoid.has(url.pathname)) return home
  return url.href
}

/** Whether a person waits for the answer as a page: who may be sent elsewhere to log in. */
export function isNavigation({ method, headers }: Request): boolean {
  if (method !== 'GET') return false
  // A prefetched page would begin a login that nobody goes on with.
  if (headers.get('sec-purpose')?.includes('prefetch')) return false
  const mode = headers.get('sec-fetch-mode')
  if (mode !== null) return mode === 'navigate'
  return headers.get('accept')?.includes('text/html') ?? false
}

/** Whether a page of our own origin, or the person himself, asked for it. Without a browser's word for it: no. */
export function isSameOrigin({ headers }: Request, origin: string): boolean {
  const site = headers.get('sec-fetch-site')
  if (site !== null) return site === 'same-origin' || site === 'none'
  return headers.get('origin') === origin
}
