/** How long a cookie's value is at most: browsers keep 4,096 bytes of a cookie, with name and attributes. */
export const CHUNK_CHARS = 3600
/** How many cookies a session may take. */
export const MAX_CHUNKS = 4

/** The cookies of a request as `[name, value]`, in order. Values are as they were sent. */
export function parseCookies(header: string | null): [name: string, value: string][] {
  if (!header) return []
  return header.split(';').flatMap(pair => {
    const equals = pair.indexOf('=')
    return equals < 1 ? [] : [[pair.slice(0, equals).trim(), pair.slice(equals + 1).trim()]]
  })
}

/** The `Cookie` header without a policy's own cookies; `undefined` if nothing is left of it. */
export function withoutCookies(header: string, isOwn: (name: string) => boolean): string | undefined {
  const rest = header.split(';').filter(pair => !isOwn((pair.split('=', 1)[0] ?? '').trim()))
  const text = rest
    .map(pair => pair.trim())
    .filter(pair => pair !== '')
    .join('; ')
  return text === '' ? undefined : text
}

/** How a cookie is set: for this host alone, not for scripts, and sent along when somebody follows a link to here. */
export function setCookie(name: string, value: string, maxAgeSeconds: number, isSecure: boolean): string {
  const maxAge = Math.max(0, Math.floor(maxAgeSeconds))
  return `${name}=${value}; Path=/; Max-Age=${maxAge}; HttpOnly; SameSite=Lax${isSecure ? '; Secure' : ''}`
}

/**
 * The cookies that one policy sets on one kind of host.
 *
 * `__Host-` keeps other hosts of the domain from setting them; browsers take it over https only. The parts of a name
 * are apart by `~`, which no policy's name has, so that no cookie can be taken for one of another policy.
 */
export class CookieNames {
  readonly isSecure: boolean
  /** The session's, or its first part. */
  readonly session: string
  readonly #login: string

  constructor(policy: string, isSecure: boolean) {
    const safe = policy.replace(/[^A-Za-z0-9_.-]/g, char => `!${char.charCodeAt(0).toString(16)}!`)
    this.isSecure = isSecure
    this.session = `${isSecure ? '__Host-' : ''}skerry-${safe}`
    this.#login = `${this.session}~login~`
  }

  /** The cookie of one login under way. */
  login(id: string): string {
    return `${this.#login}${id}`
  }

  /** The ids of the logins under way, in alphabetical order. */
  loginIds(cookies: readonly [string, string][]): string[] {
    return cookies
      .filter(([name]) => name.startsWith(this.#login))
      .map(([name]) => name.slice(this.#login.length))
      .sort()
  }

  isOwn(name: string): boolean {
    return name === this.session || name.startsWith(`${this.session}~`)
  }

  /** The session's text, put together; `undefined` if there is none or a part is missing. */
  readSession(cookies: readonly [string, string][]): string | undefined {
    const find = (name: string) => cookies.find(([each]) => each === name)?.[1]
    const [, count, head] = /^(\d)\.([\s\S]*)$/.exec(find(this.session) ?? '') ?? []
    if (head === undefined || Number(count) < 1 || Number(count) > MAX_CHUNKS) return undefined
    let text = head
    for (let i = 1; i < Number(count); i++) {
      const part = find(`${this.session}~${i}`)
      if (part === undefined) return undefined
      text += part
    }
    return text
  }

  /**
   * What sets a session, and removes parts of an older one.
   *
   * @param cookies those of the request
   * @returns values of `Set-Cookie`; `undefined` if the text is too long
   */
  writeSession(
    text: string,
    maxAgeSeconds: number,
    cookies: readonly [string, string][],
  ): string[] | undefined {
    const count = Math.ceil(text.length / CHUNK_CHARS)
    if (count > MAX_CHUNKS) return undefined
    const written = Array.from({ length: count }, (_, i): [string, string] => {
      const part = text.slice(i * CHUNK_CHARS, (i + 1) * CHUNK_CHARS)
      return i === 0 ? [this.session, `${count}.${part}`] : [`${this.session}~${i}`, part]
    })
    const names = new Set(written.map(([name]) => name))
    return [
      ...written.map(([name, value]) => setCookie(name, value, maxAgeSeconds, this.isSecure)),
      ...this.#sessionNames(cookies)
        .filter(name => !names.has(name))
        .map(name => this.remove(name)),
    ]
  }

  /** What removes the session of a request. */
  removeSession(cookies: readonly [string, string][]): string[] {
    return this.#sessionNames(cookies).map(name => this.remove(name))
  }

  remove(name: string): string {
    return setCookie(name, '', 0, this.isSecure)
  }

  #sessionNames(cookies: readonly [string, string][]): string[] {
    const names = cookies.map(([name]) => name)
    return [...new Set(names)].filter(name => this.isOwn(name) && !name.startsWith(this.#login))
  }
}
