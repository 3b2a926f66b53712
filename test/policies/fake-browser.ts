/** A browser as far as logins need it: it keeps cookies of one site, and says what kind of request it makes. */
export class FakeBrowser {
  readonly origin: string
  readonly cookies = new Map<string, string>()
  /** The lines of `Set-Cookie` that came last. */
  lastSet: readonly string[] = []
  readonly #answer: (request: Request) => Promise<Response>

  constructor(origin: string, answer: (request: Request) => Promise<Response>) {
    this.origin = origin
    this.#answer = answer
  }

  /** Opens a page, as typed by hand. Redirects aren't followed. */
  open(url: string, headers: Record<string, string> = {}): Promise<Response> {
    return this.send(url, { headers: { 'sec-fetch-mode': 'navigate', 'sec-fetch-site': 'none', ...headers } })
  }

  /** What a script of the site asks for. */
  ask(url: string, init: RequestInit = {}): Promise<Response> {
    return this.send(url, {
      ...init,
      headers: { 'sec-fetch-mode': 'cors', 'sec-fetch-site': 'same-origin', ...(init.headers as object) },
    })
  }

  async send(url: string, init: RequestInit): Promise<Response> {
    const headers = new Headers(init.headers as HeadersInit)
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    if (cookie) headers.set('cookie', cookie)
    const response = await this.#answer(new Request(new URL(url, this.origin), { ...init, headers }))
    this.lastSet = response.headers.getSetCookie()
    for (const line of this.lastSet) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (/Max-Age=0(;|$)/.test(line)) this.cookies.delete(name)
      else this.cookies.set(name, value)
    }
    return response
  }
}
