import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { anyOfPolicy } from '../../routes/policies/any-of.ts'
import type { ExchangeInit } from '../../routes/policies/exchange.ts'
import type { Identity } from '../../routes/policies/identity.ts'
import { createLocalRecords } from '../../routes/policies/local-records.ts'
import { createPhase } from '../../routes/policies/middleware.ts'
import { CookieNames, parseCookies, withoutCookies } from '../../routes/policies/oidc/cookies.ts'
import { oidcPolicy } from '../../routes/policies/oidc/index.ts'
import { resolveReturnTo } from '../../routes/policies/oidc/return-to.ts'
import { Sealer } from '../../routes/policies/oidc/seal.ts'
import type { Phase } from '../../routes/policies/policy.ts'
import { runPolicies } from '../../routes/policies/run.ts'
import { FakeBrowser } from './fake-browser.ts'
import { type Behaviour, CLIENT_ID, CLIENT_SECRET, FakeProvider, ISSUER } from './fake-provider.ts'
import { codeOf, makeExchange, makeTrace, NOW_MS } from './support.ts'

const SITE = 'https://shop.test'
const SESSION = '__Host-skerry-people'
const OPTIONS = {
  issuer: ISSUER,
  client_id: CLIENT_ID,
  client_secret: CLIENT_SECRET,
  session_secret: 'a secret of thirty-two characters',
}

/** Sites with the policy, browsers, a provider and a clock. */
class World {
  nowMs = NOW_MS
  readonly provider = new FakeProvider(() => this.nowMs)
  readonly records = createLocalRecords(() => this.nowMs)
  /** What functions were given. */
  readonly seen: { cookie: string | null; identity: Identity | undefined }[] = []

  site(options: object = {}, name = 'people'): Phase {
    return createPhase(oidcPolicy, { ...OPTIONS, ...options }, { name })
  }

  async answer(phase: Phase, request: Request, init: Partial<ExchangeInit> = {}): Promise<Response> {
    const exchange = makeExchange(request, {
      nowMs: this.nowMs,
      ...init,
      services: { fetch: this.provider.fetch, records: this.records, ...init.services },
    })
    return runPolicies([phase], exchange, asked => {
      const { headers } = asked.takeRequest()
      this.seen.push({ cookie: headers.get('cookie'), identity: asked.identity })
      return new Response('hello')
    })
  }

  browser(phase: Phase, origin = SITE): FakeBrowser {
    return new FakeBrowser(origin, request => this.answer(phase, request))
  }

  /** Goes to a page, and logs in on the way. */
  async login(browser: FakeBrowser, path = '/', user?: Record<string, unknown>): Promise<Response> {
    const redirect = await browser.open(path)
    return browser.open(this.provider.authorize(locationOf(redirect), user), {
      'sec-fetch-site': 'cross-site',
    })
  }
}

const locationOf = (response: Response): string => response.headers.get('location') ?? ''
const names = (browser: FakeBrowser) => [...browser.cookies.keys()]

let world: World
beforeEach(() => {
  world = new World()
  vi.spyOn(console, 'warn').mockImplementation(() => {})
})
afterEach(() => {
  vi.restoreAllMocks()
})

describe('a login', () => {
  test('sends a browser to the provider and back to where it wanted to go, with a session', async () => {
    const browser = world.browser(world.site())
    const redirect = await browser.open('/orders?page=2')
    expect(redirect.status).toBe(302)
    expect(redirect.headers.get('cache-control')).toBe('no-store')
    const to = new URL(locationOf(redirect))
    expect(to.origin + to.pathname).toBe(`${ISSUER}/authorize`)
    expect(Object.fromEntries(to.searchParams)).toEqual({
      response_type: 'code',
      client_id: CLIENT_ID,
      redirect_uri: `${SITE}/.auth/callback`,
      scope: 'openid profile email',
      state: expect.stringMatching(/^[\w-]+\.[\w-]{22}$/),
      nonce: expect.stringMatching(/^[\w-]{22}$/),
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge_method: 'S256',
    })

    const back = await browser.open(world.provider.authorize(to.href, { sub: 'ann', email: 'ann@shop.test' }))
    expect([back.status, locationOf(back)]).toEqual([302, `${SITE}/orders?page=2`])
    expect(names(browser)).toEqual([SESSION])

    expect(await (await browser.open('/orders?page=2')).text()).toBe('hello')
    expect(world.seen).toEqual([
      {
        cookie: null,
        identity: {
          type: 'oidc',
          policy: 'people',
          subject: 'ann',
          scopes: ['openid', 'profile', 'email'],
          roles: [],
          claims: { iss: ISSUER, sub: 'ann', email: 'ann@shop.test' },
        },
      },
    ])
  })

  test('sets cookies for this host alone, out of reach of scripts', async () => {
    const browser = world.browser(world.site())
    await world.login(browser)
    expect(browser.lastSet[0]).toMatch(
      /^__Host-skerry-people=1\.[\w-]+; Path=\/; Max-Age=28800; HttpOnly; SameSite=Lax; Secure$/,
    )
    const plain = world.browser(world.site(), 'http://localhost:8787')
    await world.login(plain)
    expect(plain.lastSet[0]).toMatch(
      /^skerry-people=1\.[\w-]+; Path=\/; Max-Age=28800; HttpOnly; SameSite=Lax$/,
    )
  })

  test('takes out its own cookies, and leaves the others', async () => {
    const browser = world.browser(world.site())
    await world.login(browser)
    browser.cookies.set('theme', 'dark')
    browser.cookies.set('__Host-skerry-people2', 'of another policy')
    await browser.ask('/')
    expect(world.seen.at(-1)?.cookie).toBe('theme=dark; __Host-skerry-people2=of another policy')
  })

  test('works in several tabs at once', async () => {
    const browser = world.browser(world.site())
    const tabs = [await browser.open('/one'), await browser.open('/two'), await browser.open('/three')]
    const ends = []
    for (const tab of tabs)
      ends.push(locationOf(await browser.open(world.provider.authorize(locationOf(tab)))))
    expect(ends).toEqual([`${SITE}/one`, `${SITE}/two`, `${SITE}/three`])
    expect(names(browser)).toEqual([SESSION])
  })

  test('of more than five under way, the oldest make room', async () => {
    const browser = world.browser(world.site())
    const tabs = []
    for (let i = 0; i < 7; i++) {
      world.nowMs += 1000
      tabs.push(await browser.open(`/${i}`))
    }
    expect(browser.cookies.size).toBe(5)
    const statuses = []
    for (const tab of tabs)
      statuses.push((await browser.open(world.provider.authorize(locationOf(tab)))).status)
    expect(statuses).toEqual([400, 400, 302, 302, 302, 302, 302])
  })

  test.each([
    ['a script', { 'sec-fetch-mode': 'cors', accept: 'text/html' }, 'GET'],
    ['a client without a browser', { accept: '*/*' }, 'GET'],
    ['a form', { 'sec-fetch-mode': 'navigate' }, 'POST'],
    ['a prefetched page', { 'sec-fetch-mode': 'navigate', 'sec-purpose': 'prefetch' }, 'GET'],
  ] as const)('is not begun for %s: 401', async (_what, headers, method) => {
    const response = await world.answer(world.site(), new Request(`${SITE}/`, { method, headers }))
    expect(response.status).toBe(401)
    expect(await codeOf(response)).toBe('ERR_LOGIN_REQUIRED')
    expect(response.headers.get('www-authenticate')).toBe('OpenIDConnect login="/.auth/login"')
    expect(response.headers.getSetCookie()).toEqual([])
  })

  test('is begun for browsers that say no more than that they want a page', async () => {
    const headers = { accept: 'text/html,application/xhtml+xml;q=0.9' }
    expect((await world.answer(world.site(), new Request(`${SITE}/`, { headers }))).status).toBe(302)
  })

  test('takes more parameters, another redirect URI and other paths', async () => {
    const browser = world.browser(
      world.site({
        redirect_uri: 'https://public.test/app/back',
        authorize_params: { prompt: 'select_account' },
        scopes: ['openid', 'offline_access'],
        paths: { login: '/in' },
      }),
      'http://10.0.0.1',
    )
    const to = new URL(locationOf(await browser.open('/in?return_to=/x')))
    expect(to.searchParams.get('redirect_uri')).toBe('https://public.test/app/back')
    expect(to.searchParams.get('prompt')).toBe('select_account')
    expect(to.searchParams.get('scope')).toBe('openid offline_access')
    const back = new URL(world.provider.authorize(to.href))
    expect(locationOf(await browser.open(back.pathname + back.search))).toBe('https://public.test/x')
    expect(names(browser)).toEqual([SESSION])
  })

  test('authenticates with the secret in the body where the provider wants that', async () => {
    world.provider.behaviour.metadata = { token_endpoint_auth_methods_supported: ['client_secret_post'] }
    expect((await world.login(world.browser(world.site()))).status).toBe(302)
  })

  test('splits a session that is too large for one cookie, and puts it together again', async () => {
    const browser = world.browser(world.site())
    await world.login(browser, '/', {
      sub: 'ann',
      groups: Array.from({ length: 200 }, (_, i) => `group-${i}`),
    })
    expect(names(browser)).toEqual([SESSION, `${SESSION}~1`, `${SESSION}~2`])
    expect([...browser.cookies.values()].every(value => value.length < 3700)).toBe(true)
    expect((await browser.open('/')).status).toBe(200)
    // The next, smaller one leaves no parts behind.
    const again = await browser.open('/.auth/login')
    await browser.open(world.provider.authorize(locationOf(again)))
    expect(names(browser)).toEqual([SESSION])
    expect((await browser.open('/')).status).toBe(200)
  })

  test('fails if the claims are too many for cookies, unless only some are kept', async () => {
    const user = { sub: 'ann', email: 'a@b.test', groups: 'x'.repeat(11_000) }
    expect((await world.login(world.browser(world.site()), '/', user)).status).toBe(403)
    const browser = world.browser(world.site({ claims: ['email'] }))
    await world.login(browser, '/', user)
    await browser.open('/')
    expect(world.seen.at(-1)?.identity?.claims).toEqual({ sub: 'ann', email: 'a@b.test' })
  })
})

describe('an answer of the provider is refused', () => {
  const finish = async (
    change: (back: URL, browser: FakeBrowser) => void | Promise<void>,
    phase = world.site(),
  ): Promise<Response> => {
    const browser = world.browser(phase)
    const back = new URL(world.provider.authorize(locationOf(await browser.open('/'))))
    await change(back, browser)
    const response = await browser.open(back.href)
    expect(names(browser)).not.toContain(SESSION)
    return response
  }
  const pageOf = async (response: Response) => {
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'")
    return /ERR_[A-Z_]+/.exec(await response.text())?.[0]
  }

  test.each<[string, (back: URL, browser: FakeBrowser) => void]>([
    ['without a state', back => back.searchParams.delete('state')],
    [
      'with a state that was changed',
      back => back.searchParams.set('state', `${back.searchParams.get('state')}x`),
    ],
    ['with two states', back => back.searchParams.append('state', 'x')],
    ['with two codes', back => back.searchParams.append('code', 'x')],
    ['in a browser without the cookie of the login', (_, browser) => browser.cookies.clear()],
    [
      'with a cookie of the login that was changed',
      (_, browser) => {
        for (const [name, value] of browser.cookies) browser.cookies.set(name, `A${value.slice(1)}`)
      },
    ],
    [
      'when the login took too long',
      () => {
        world.nowMs += 600_000
      },
    ],
  ])('%s', async (_what, change) => {
    const response = await finish(change)
    expect(response.status).toBe(400)
    expect(await pageOf(response)).toBe('ERR_LOGIN_STATE')
  })

  test('a millisecond before the login takes too long it counts', async () => {
    const browser = world.browser(world.site())
    const back = world.provider.authorize(locationOf(await browser.open('/')))
    world.nowMs += 599_999
    world.provider.behaviour.claims = { exp: NOW_MS / 1000 + 900 }
    expect((await browser.open(back)).status).toBe(302)
  })

  test.each<[string, () => void]>([
    ['with the nonce of another login', () => (world.provider.behaviour.claims = { nonce: 'x' })],
    ['without a nonce', () => (world.provider.behaviour.claims = { nonce: undefined })],
    ['of another issuer', () => (world.provider.behaviour.claims = { iss: 'https://evil.test' })],
    ['for another audience', () => (world.provider.behaviour.claims = { aud: 'other' })],
    [
      'for several audiences without azp',
      () => (world.provider.behaviour.claims = { aud: [CLIENT_ID, 'other'] }),
    ],
    [
      'for another client',
      () => (world.provider.behaviour.claims = { aud: [CLIENT_ID, 'other'], azp: 'other' }),
    ],
    ['with the hash of another access token', () => (world.provider.behaviour.claims = { at_hash: 'AAAA' })],
    ['of nobody', () => (world.provider.behaviour.claims = { sub: undefined })],
    ['that has expired', () => (world.provider.behaviour.claims = { exp: NOW_MS / 1000 - 31 })],
    ['without an end', () => (world.provider.behaviour.claims = { exp: undefined })],
    ['from the future', () => (world.provider.behaviour.claims = { iat: NOW_MS / 1000 + 60 })],
    ['signed with another key', () => (world.provider.behaviour.signsWithAnotherKey = true)],
    ['that is missing', () => (world.provider.behaviour.tokens = { id_token: undefined })],
    ['that is not signed', () => (world.provider.behaviour.tokens = { id_token: unsigned() })],
    ['that comes with a 400', () => (world.provider.behaviour.tokenStatus = 400)],
  ])('with an ID token %s', async (_what, misbehave) => {
    const response = await finish(misbehave)
    expect(response.status).toBe(403)
    expect(await pageOf(response)).toBe('ERR_LOGIN_FAILED')
  })

  const unsigned = () =>
    [{ alg: 'none' }, { iss: ISSUER, aud: CLIENT_ID, sub: 'ann', exp: 9e9 }, '']
      .map(part => (part ? Buffer.from(JSON.stringify(part)).toString('base64url') : ''))
      .join('.')

  test('with leeway for clocks, and with azp among several audiences, it counts', async () => {
    for (const claims of [
      { exp: NOW_MS / 1000 - 29 },
      { iat: NOW_MS / 1000 + 29 },
      { aud: [CLIENT_ID, 'other'], azp: CLIENT_ID },
    ]) {
      world.provider.behaviour.claims = claims
      expect((await world.login(world.browser(world.site()))).status).toBe(302)
    }
  })

  test.each<[string, (back: URL) => void]>([
    ['of another provider (RFC 9207)', back => back.searchParams.set('iss', 'https://evil.test')],
    ['that does not name the provider, though it always does', back => back.searchParams.delete('iss')],
    ['without a code', back => back.searchParams.delete('code')],
    ['with an error', back => back.searchParams.set('error', 'access_denied')],
    ['with a code that was made up', back => back.searchParams.set('code', 'code-99')],
  ])('%s', async (_what, change) => {
    const response = await finish(change)
    expect(response.status).toBe(403)
    expect(await pageOf(response)).toBe('ERR_LOGIN_FAILED')
  })

  test('that lacks "iss" counts where the provider does not promise one', async () => {
    world.provider.behaviour = {
      answersWithoutIss: true,
      metadata: { authorization_response_iss_parameter_supported: undefined },
    }
    expect((await world.login(world.browser(world.site()))).status).toBe(302)
  })

  test('that came before: in the same browser, and with a cookie that was kept', async () => {
    const browser = world.browser(world.site())
    const back = world.provider.authorize(locationOf(await browser.open('/')))
    const kept = new Map(browser.cookies)
    expect((await browser.open(back)).status).toBe(302)
    expect(await pageOf(await browser.open(back))).toBe('ERR_LOGIN_STATE')
    for (const [name, value] of kept) browser.cookies.set(name, value)
    const tokens = world.provider.asked.filter(each => each.endsWith('/token')).length
    expect(await pageOf(await browser.open(back))).toBe('ERR_LOGIN_FAILED')
    expect(world.provider.asked.filter(each => each.endsWith('/token'))).toHaveLength(tokens)
  })

  test('that belongs to another browser', async () => {
    const phase = world.site()
    const [eve, ann] = [world.browser(phase), world.browser(phase)]
    const forEve = world.provider.authorize(locationOf(await eve.open('/')), { sub: 'eve' })
    await ann.open('/')
    expect((await ann.open(forEve)).status).toBe(400)
    expect(names(ann)).not.toContain(SESSION)
  })

  test('whose code was put in the place of the own one: PKCE', async () => {
    const phase = world.site()
    const [eve, ann] = [world.browser(phase), world.browser(phase)]
    const stolen = new URL(world.provider.authorize(locationOf(await ann.open('/')), { sub: 'ann' }))
    const response = await (async () => {
      const own = new URL(world.provider.authorize(locationOf(await eve.open('/')), { sub: 'eve' }))
      own.searchParams.set('code', stolen.searchParams.get('code') ?? '')
      return eve.open(own.href)
    })()
    expect(response.status).toBe(403)
    expect(names(eve)).not.toContain(SESSION)
  })

  test('whose code was given without a challenge: PKCE can not be taken out', async () => {
    const browser = world.browser(world.site())
    const to = new URL(locationOf(await browser.open('/')))
    to.searchParams.delete('code_challenge')
    to.searchParams.delete('code_challenge_method')
    expect((await browser.open(world.provider.authorize(to.href))).status).toBe(403)
    expect(names(browser)).not.toContain(SESSION)
  })

  test('without a page for what is not a browser', async () => {
    const response = await world.browser(world.site()).ask('/.auth/callback?state=x')
    expect([response.status, await codeOf(response)]).toEqual([400, 'ERR_LOGIN_STATE'])
  })

  test('and nothing that was sent is shown', async () => {
    const response = await finish(back => back.searchParams.set('error', '<script>alert(1)</script>'))
    expect(await response.text()).not.toContain('alert')
  })

  test('when nobody can record that it came', async () => {
    const phase = world.site()
    const records = { ...world.records, claim: () => Promise.reject(new Error('down')) }
    const browser = new FakeBrowser(SITE, request =>
      world.answer(phase, request, { services: { records } } as unknown as Partial<ExchangeInit>),
    )
    const back = world.provider.authorize(locationOf(await browser.open('/')))
    const response = await browser.open(back)
    expect([response.status, await pageOf(response)]).toEqual([503, 'ERR_STATE_UNAVAILABLE'])
  })
})

describe('after a login', () => {
  test.each([
    ['/orders/1?a=b&c=%2F', '/orders/1?a=b&c=%2F'],
    ['/a//b', '/a//b'],
    ['//evil.test', '/'],
    ['//evil.test/%2f..', '/'],
    ['/\\evil.test', '/'],
    ['/\t/evil.test', '/'],
    ['/.//evil.test', '/'],
    ['/%2e//evil.test', '/'],
    ['/x/..//evil.test', '/'],
    ['https://evil.test', '/'],
    ['javascript:alert(1)', '/'],
    ['evil.test', '/'],
    ['', '/'],
    [`/${'a'.repeat(1000)}`, '/'],
    [`/${'a'.repeat(999)}`, `/${'a'.repeat(999)}`],
    ['/.auth/logout', '/'],
    ['/x/../.auth/logout', '/'],
    ['/.auth/login?return_to=/x', '/'],
  ])('return_to %j leads to %s of the own site', async (returnTo, path) => {
    const browser = world.browser(world.site())
    const redirect = await browser.open(`/.auth/login?return_to=${encodeURIComponent(returnTo)}`)
    const back = await browser.open(world.provider.authorize(locationOf(redirect)))
    expect(locationOf(back)).toBe(`${SITE}${path}`)
  })

  test('a page that begins with two slashes leads nowhere else', async () => {
    const browser = world.browser(world.site())
    const redirect = await browser.open(`${SITE}//evil.test/x`)
    expect(locationOf(await browser.open(world.provider.authorize(locationOf(redirect))))).toBe(`${SITE}/`)
  })
})

describe('a session', () => {
  const cookieOf = (browser: FakeBrowser) => browser.cookies.get(SESSION) ?? ''
  const login = async (phase: Phase, user?: Record<string, unknown>) => {
    const browser = world.browser(phase)
    await world.login(browser, '/', user)
    return browser
  }

  test('ends by its own time, whatever is done in it', async () => {
    const browser = await login(world.site({ session_seconds: '1h' }))
    world.provider.behaviour.isDown = true
    world.nowMs = NOW_MS + 3_599_999
    expect((await browser.ask('/')).status).toBe(200)
    world.nowMs = NOW_MS + 3_600_000
    expect((await browser.ask('/')).status).toBe(401)
  })

  test('without requests ends earlier; requests prolong it, but not beyond its end', async () => {
    const phase = world.site({ session_seconds: '1h', idle_seconds: '10m', scopes: ['openid'] })
    world.provider.behaviour.tokens = { refresh_token: undefined }
    const browser = await login(phase)
    const idle = await login(phase)
    world.nowMs += 59_999
    await browser.ask('/')
    expect(browser.lastSet).toEqual([])
    world.nowMs += 1
    await browser.ask('/')
    expect(browser.lastSet[0]).toContain('Max-Age=600')
    world.nowMs = NOW_MS + 600_000
    expect((await idle.ask('/')).status).toBe(401)
    for (let minute = 10; minute < 60; minute += 5) {
      world.nowMs = NOW_MS + minute * 60_000
      expect((await browser.ask('/')).status).toBe(200)
    }
    expect(browser.lastSet[0]).toContain('Max-Age=300')
    world.nowMs = NOW_MS + 3_600_000
    expect((await browser.ask('/')).status).toBe(401)
  })

  test('whose cookie was changed in any place is none', async () => {
    const phase = world.site()
    const browser = await login(phase)
    const cookie = cookieOf(browser)
    expect((await browser.ask('/')).status).toBe(200)
    for (let i = 0; i < cookie.length; i += 37) {
      const flipped = cookie[i] === 'A' ? 'B' : 'A'
      browser.cookies.set(SESSION, cookie.slice(0, i) + flipped + cookie.slice(i + 1))
      expect([i, (await browser.ask('/')).status]).toEqual([i, 401])
    }
    for (const value of [
      '',
      '1.',
      '0.x',
      '5.x',
      `2.${cookie.slice(2)}`,
      cookie.slice(0, -1),
      'x'.repeat(9000),
    ]) {
      browser.cookies.set(SESSION, value)
      expect((await browser.ask('/')).status).toBe(401)
    }
  })

  test.each([
    ['another policy', {}, 'staff'],
    ['another client', { client_id: 'other' }, 'people'],
    ['another issuer', { issuer: 'https://other.test' }, 'people'],
    ['another secret', { session_secret: 'another secret of 32 characters!' }, 'people'],
  ])('of %s is none', async (_what, options, name) => {
    const other = await login(world.site())
    const browser = world.browser(world.site(options, name))
    browser.cookies.set(`__Host-skerry-${name}`, cookieOf(other))
    expect((await browser.ask('/')).status).toBe(401)
  })

  test('is not what the cookie of a login holds', async () => {
    const browser = world.browser(world.site())
    await browser.open('/')
    const [sealed = ''] = [...browser.cookies.values()]
    browser.cookies.set(SESSION, `1.${sealed}`)
    expect((await browser.ask('/')).status).toBe(401)
  })

  test('outlasts a change of the secret, and is encrypted anew', async () => {
    const [before, after] = ['the old secret of 32 characters..', 'the new secret of 32 characters..']
    const old = await login(world.site({ session_secret: before }))
    const browser = world.browser(world.site({ session_secret: [after, before] }))
    browser.cookies.set(SESSION, cookieOf(old))
    expect((await browser.ask('/')).status).toBe(200)
    const last = world.browser(world.site({ session_secret: after }))
    last.cookies.set(SESSION, cookieOf(browser))
    expect((await last.ask('/')).status).toBe(200)
    last.cookies.set(SESSION, cookieOf(old))
    expect((await last.ask('/')).status).toBe(401)
  })

  test('goes on while the provider is down; without one there is 503', async () => {
    const phase = world.site()
    const browser = await login(phase)
    world.provider.behaviour.isDown = true
    expect((await browser.open('/')).status).toBe(200)
    const other = await world.browser(world.site()).open('/')
    expect(other.status).toBe(503)
    expect(await other.text()).toContain('ERR_IDENTITY_PROVIDER')
    expect(other.headers.get('retry-after')).toBe('1')
  })

  test('is not begun at a provider that takes no S256, or whose endpoints are not https:', async () => {
    for (const metadata of [
      { code_challenge_methods_supported: ['plain'] },
      { authorization_endpoint: 'http://id.test/authorize' },
      { issuer: 'https://evil.test' },
    ]) {
      world.provider.behaviour.metadata = metadata
      expect((await world.browser(world.site()).open('/')).status).toBe(503)
    }
  })
})

describe('refreshing a session', () => {
  const login = async (phase = world.site()) => {
    const browser = world.browser(phase)
    await world.login(browser, '/', { sub: 'ann', level: 1 })
    return browser
  }
  const refreshes = () => world.provider.asked.filter(each => each === 'POST /realm/token').length - 1

  test('happens a minute before the token ends, with a new cookie', async () => {
    const browser = await login()
    world.nowMs = NOW_MS + 239_999
    await browser.ask('/')
    expect(refreshes()).toBe(0)
    world.nowMs = NOW_MS + 240_000
    world.provider.behaviour.claims = { level: 2 }
    expect((await browser.ask('/')).status).toBe(200)
    expect(refreshes()).toBe(1)
    expect(world.seen.at(-1)?.identity?.claims.level).toBe(2)
    expect(browser.lastSet[0]).toContain(`Max-Age=${8 * 3600 - 240};`)
    await browser.ask('/')
    expect(refreshes()).toBe(1)
    // The new token's time counts from when it came, a little later.
    world.nowMs += 250_000
    await browser.ask('/')
    expect(refreshes()).toBe(2)
  })

  test('is done once for requests that come together, and old cookies find the new session', async () => {
    const browser = await login()
    const old = new Map(browser.cookies)
    world.nowMs += 240_000
    world.provider.behaviour.claims = { level: 2 }
    const answers = await Promise.all([1, 2, 3, 4].map(() => browser.ask('/')))
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200])
    expect(refreshes()).toBe(1)
    for (const [name, value] of old) browser.cookies.set(name, value)
    await browser.ask('/')
    expect(refreshes()).toBe(1)
    expect(world.seen.at(-1)?.identity?.claims.level).toBe(2)
    expect(browser.cookies).not.toEqual(old)
  })

  test('ends the session if the provider does not know it any more', async () => {
    const browser = await login()
    world.nowMs += 240_000
    world.provider.behaviour.endsSessions = true
    expect((await browser.ask('/')).status).toBe(401)
    expect((await browser.ask('/')).status).toBe(401)
    expect(refreshes()).toBe(1)
    expect((await browser.open('/')).status).toBe(302)
  })

  test.each([
    ['of somebody else', { sub: 'eve' }],
    ['of another issuer', { iss: 'https://evil.test' }],
  ])('ends the session if the ID token is %s', async (_what, claims) => {
    const browser = await login()
    world.nowMs += 240_000
    world.provider.behaviour.claims = claims
    expect((await browser.ask('/')).status).toBe(401)
  })

  test('keeps the session while the provider is down, and asks it again after half a minute', async () => {
    const browser = await login()
    world.nowMs += 240_000
    world.provider.behaviour.tokenStatus = 502
    for (const seconds of [0, 29]) {
      world.nowMs += seconds * 1000
      expect((await browser.ask('/')).status).toBe(200)
    }
    expect(refreshes()).toBe(1)
    world.nowMs += 1000
    world.provider.behaviour = {}
    expect((await browser.ask('/')).status).toBe(200)
    expect(refreshes()).toBe(2)
    expect(browser.lastSet).toHaveLength(1)
  })

  test('keeps claims and ID token where the answer has no new ones', async () => {
    const browser = await login()
    world.nowMs += 240_000
    world.provider.behaviour.tokens = { id_token: undefined, refresh_token: undefined }
    await browser.ask('/')
    expect(world.seen.at(-1)?.identity?.claims.level).toBe(1)
    expect(browser.lastSet).toHaveLength(1)
  })
})

describe('allow', () => {
  test.each([
    [{ hd: 'shop.test' }, { hd: 'shop.test' }, true],
    [{ hd: 'shop.test' }, { hd: 'other.test' }, false],
    [{ hd: 'shop.test' }, {}, false],
    [{ email: '*@shop.test' }, { email: 'Ann@Shop.test', email_verified: true }, true],
    [{ email: '*@shop.test' }, { email: 'ann@shop.test' }, true],
    [{ email: '*@shop.test' }, { email: 'ann@shop.test', email_verified: false }, false],
    [{ email: '*@shop.test' }, { email: 'ann@shop.test.evil.test', email_verified: true }, false],
    [{ email: '*@shop.test' }, { email: 'ann@evilshop.test', email_verified: true }, false],
    [{ groups: ['admins', 'staff'] }, { groups: ['x', 'staff'] }, true],
    [{ groups: ['admins', 'staff'] }, { groups: ['stafff'] }, false],
    [{ email_verified: true }, { email_verified: 'true' }, false],
    [{ 'realm.level': 3 }, { realm: { level: 3 } }, true],
    [{ hd: 'shop.test', level: 1 }, { hd: 'shop.test', level: 2 }, false],
  ])('%j lets %j in: %s', async (allow, claims, isAllowed) => {
    const browser = world.browser(world.site({ allow }))
    const response = await world.login(browser, '/', { sub: 'ann', ...claims })
    expect(response.status).toBe(isAllowed ? 302 : 403)
    expect(names(browser).includes(SESSION)).toBe(isAllowed)
    if (!isAllowed) expect(await response.text()).toContain('ERR_ACCESS_REFUSED')
  })

  test('counts for sessions that were made before it was written', async () => {
    const browser = world.browser(world.site())
    await world.login(browser)
    const stricter = world.browser(world.site({ allow: { hd: 'shop.test' } }))
    for (const [name, value] of browser.cookies) stricter.cookies.set(name, value)
    expect((await stricter.ask('/')).status).toBe(403)
    expect((await stricter.ask('/.auth/me')).status).toBe(403)
    expect(world.seen).toEqual([])
  })
})

describe('the own paths', () => {
  const login = async (options = {}) => {
    const browser = world.browser(world.site(options))
    await world.login(browser, '/', { sub: 'ann', roles: ['clerk'] })
    return browser
  }

  test('/.auth/me tells who is logged in', async () => {
    const browser = await login()
    const response = await browser.ask('/.auth/me')
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(await response.json()).toEqual({
      subject: 'ann',
      scopes: ['openid', 'profile', 'email'],
      roles: ['clerk'],
      claims: { iss: ISSUER, sub: 'ann', roles: ['clerk'] },
      expires_at: new Date(NOW_MS + 8 * 3_600_000).toISOString(),
    })
    const nobody = await world.browser(world.site()).open('/.auth/me')
    expect([nobody.status, await codeOf(nobody)]).toEqual([401, 'ERR_LOGIN_REQUIRED'])
  })

  test('/.auth/logout ends the session here and at the provider', async () => {
    const browser = await login()
    const response = await browser.ask('/.auth/logout', { method: 'POST' })
    expect(response.status).toBe(303)
    const to = new URL(locationOf(response))
    expect(to.origin + to.pathname).toBe(`${ISSUER}/logout`)
    expect(Object.fromEntries(to.searchParams)).toEqual({
      id_token_hint: expect.stringMatching(/^ey/),
      client_id: CLIENT_ID,
      post_logout_redirect_uri: `${SITE}/`,
    })
    expect(names(browser)).toEqual([])
    expect((await browser.ask('/')).status).toBe(401)
  })

  test.each<[string, Behaviour]>([
    ['without a place for it at the provider', { metadata: { end_session_endpoint: undefined } }],
    ['while the provider is down', { isDown: true }],
  ])('/.auth/logout ends the session %s', async (_what, behaviour) => {
    world.provider.behaviour = behaviour.isDown ? {} : behaviour
    const phase = world.site({ post_logout: '/bye' })
    const before = world.browser(phase)
    await world.login(before)
    world.provider.behaviour = behaviour
    // Nothing of the provider is known in the process that ends it.
    const browser = world.browser(world.site({ post_logout: '/bye' }))
    for (const [name, value] of before.cookies) browser.cookies.set(name, value)
    expect(locationOf(await browser.open('/.auth/logout'))).toBe(`${SITE}/bye`)
    expect(names(browser)).toEqual([])
  })

  test('/.auth/logout without a session leads to the end of it', async () => {
    const browser = world.browser(world.site({ post_logout: 'https://www.test/bye' }))
    expect(locationOf(await browser.open('/.auth/logout'))).toBe('https://www.test/bye')
  })

  test.each([
    ['a link of another site', 'GET', { 'sec-fetch-site': 'cross-site' }],
    ['a link of a sibling', 'GET', { 'sec-fetch-site': 'same-site' }],
    ['a link in a browser that does not tell', 'GET', {}],
    ['a prefetched link', 'GET', { 'sec-fetch-site': 'same-origin', 'sec-purpose': 'prefetch' }],
    ['a form of another site', 'POST', { 'sec-fetch-site': 'cross-site' }],
    ['a form of another origin', 'POST', { origin: 'https://evil.test' }],
    ['a form of nowhere', 'POST', { origin: 'null' }],
    ['a form that does not tell', 'POST', {}],
  ] as const)('/.auth/logout does nothing for %s', async (_what, method, headers) => {
    const browser = await login()
    const response = await browser.send('/.auth/logout', { method, headers: { ...headers } })
    expect(response.status).toBe(method === 'GET' ? 200 : 403)
    if (method === 'GET')
      expect(await response.text()).toContain('<form method="post" action="/.auth/logout">')
    expect(names(browser)).toEqual([SESSION])
  })

  test('/.auth/logout takes a form of the own site from a browser that tells its origin only', async () => {
    const browser = await login()
    const response = await browser.send('/.auth/logout', { method: 'POST', headers: { origin: SITE } })
    expect(response.status).toBe(303)
  })

  test.each(['/.auth/callback', '/.auth/login', '/.auth/me'])('%s takes GET alone', async path => {
    const response = await world.browser(world.site()).ask(path, { method: 'POST' })
    expect([response.status, await codeOf(response)]).toEqual([400, 'ERR_BAD_REQUEST'])
  })
})

describe('oidc', () => {
  test('in a dry run begins, ends and writes nothing', async () => {
    const phase = world.site({ idle_seconds: 60 })
    const browser = world.browser(phase)
    await world.login(browser)
    world.nowMs += 50_000
    const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const claims = vi.spyOn(world.records, 'claim')
    const ask = async (path: string, headers: Record<string, string>) => {
      const trace = makeTrace()
      const request = new Request(SITE + path, { headers: { 'sec-fetch-mode': 'navigate', ...headers } })
      const response = await world.answer(phase, request, { isDryRun: true, trace })
      expect(response.headers.getSetCookie()).toEqual([])
      return [response.status, trace.findings.length > 0, locationOf(response)]
    }
    expect(await ask('/', {})).toEqual([302, true, `${ISSUER}/authorize`])
    expect(await ask('/.auth/callback?state=x&code=y', {})).toEqual([302, true, `${SITE}/`])
    expect(await ask('/.auth/logout', { cookie, 'sec-fetch-site': 'none' })).toEqual([
      302,
      true,
      expect.stringContaining('/logout'),
    ])
    expect(await ask('/', { cookie })).toEqual([200, true, ''])
    expect(claims).not.toHaveBeenCalled()
  })

  test('says why, without tokens, codes or cookies', async () => {
    const trace = makeTrace()
    const phase = world.site()
    const browser = new FakeBrowser(SITE, request => world.answer(phase, request, { trace }))
    await world.login(browser)
    await browser.open('/')
    world.provider.behaviour.claims = { nonce: 'x' }
    await world.login(browser, '/.auth/login')
    const text = trace.findings.join('\n')
    expect(text).toContain('The login succeeded. {"subject":"ann"}')
    expect(text).toContain('The session is good.')
    expect(text).toContain('of another login (\\"nonce\\")')
    expect(text).not.toMatch(/code-\d|ey[A-Z]|access-|refresh-/)
  })

  test('answers without a promise once it has seen a session', async () => {
    const phase = world.site()
    const browser = world.browser(phase)
    await world.login(browser)
    const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const ask = () => {
      const request = new Request(SITE, { headers: { cookie } })
      return phase.request?.(makeExchange(request))
    }
    expect(ask()).toBeInstanceOf(Promise)
    await ask()
    expect(ask()).toBeUndefined()
  })

  test('is presented with a session, right or wrong, and on its own paths', () => {
    const phase = world.site()
    const isPresented = (path: string, cookie = '') =>
      phase.isPresented?.(makeExchange(new Request(SITE + path, { headers: { cookie } })))
    expect(isPresented('/')).toBe(false)
    expect(isPresented('/', 'a=b; __Host-skerry-people2=x')).toBe(false)
    expect(isPresented('/', 'x=__Host-skerry-people')).toBe(false)
    expect(isPresented('/', 'a=b; __Host-skerry-people=x')).toBe(true)
    expect(isPresented('/.auth/callback?code=x')).toBe(true)
  })

  test('can be one of several ways to authenticate', async () => {
    const people = world.site()
    const phase = createPhase(anyOfPolicy, { policies: ['people'] }, { policies: { people } })
    const browser = world.browser(phase)
    await world.login(browser, '/x')
    expect((await browser.ask('/x')).status).toBe(200)
    expect((await world.browser(phase).ask('/x')).status).toBe(401)
  })

  test.each([
    [{ session_secret: 'x'.repeat(31) }, '32 characters'],
    [{ session_secret: [] }, 'session_secret'],
    [{ issuer: 'id.test' }, 'issuer'],
    [{ scopes: ['email'] }, '"openid"'],
    [{ scopes: ['openid', 'two words'] }, 'no space'],
    [{ paths: { callback: '//evil.test' } }, 'It must be a path'],
    [{ paths: { callback: '/a?b' } }, 'It must be a path'],
    [{ post_logout: '//evil.test' }, 'post_logout'],
    [{ post_logout: 'javascript:alert(1)' }, 'post_logout'],
    [{ authorize_params: { state: 'x' } }, 'set by the login itself'],
    [{ session_seconds: 59 }, 'session_seconds'],
    [{ session_seconds: '91d' }, 'session_seconds'],
    [{ sesion_seconds: 60 }, 'sesion_seconds'],
  ])('%j is refused: %s', (options, message) => {
    expect(() => world.site(options)).toThrow(message)
  })
})

describe('the parts', () => {
  test('resolveReturnTo() never leads to another origin', () => {
    const piece = fc.constantFrom(
      '/',
      '//',
      '\\',
      '.',
      '..',
      '%2f',
      '%5c',
      '@',
      ':',
      'evil.test',
      '?',
      '#',
      '\t',
      ' ',
      'https:',
      'a',
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), pieces => {
        const to = resolveReturnTo(pieces.join(''), SITE, new Set())
        expect(new URL(to).origin).toBe(SITE)
        expect(to.startsWith(`${SITE}/`)).toBe(true)
        expect(to.startsWith(`${SITE}//`)).toBe(false)
      }),
      { numRuns: 500 },
    )
  })

  test('CookieNames write sessions of any length that fits so that they can be read', () => {
    const cookies = new CookieNames('people', true)
    const maxChars = 4 * 3600
    fc.assert(
      fc.property(fc.integer({ min: 1, max: maxChars }), length => {
        const text = Array.from({ length }, (_, i) => String.fromCharCode(97 + (i % 26))).join('')
        const lines = cookies.writeSession(text, 60, []) ?? []
        const jar = lines.map(line => line.split(';', 1)[0]).join('; ')
        expect(cookies.readSession(parseCookies(jar))).toBe(text)
        expect(withoutCookies(jar, name => cookies.isOwn(name))).toBeUndefined()
        expect(Math.max(...lines.map(line => line.length))).toBeLessThan(4000)
      }),
      { numRuns: 50 },
    )
    expect(cookies.writeSession('x'.repeat(maxChars), 60, [])).toHaveLength(4)
    expect(cookies.writeSession('x'.repeat(maxChars + 1), 60, [])).toBeUndefined()
  })

  test('CookieNames of different policies have no cookie in common', () => {
    const name = fc.stringMatching(/^[A-Za-z0-9_.~ -]{1,8}$/)
    fc.assert(
      fc.property(name, name, (a, b) => {
        fc.pre(a !== b)
        const [one, other] = [new CookieNames(a, true), new CookieNames(b, true)]
        for (const cookie of [one.session, `${one.session}~1`, one.login('x')]) {
          expect(one.isOwn(cookie)).toBe(true)
          expect(other.isOwn(cookie)).toBe(false)
        }
      }),
    )
  })

  test('Sealer opens what it sealed, for the same purpose and scope alone', async () => {
    const secrets = ['x'.repeat(32)]
    const sealer = new Sealer(secrets, ['a', 'b'])
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), async value => {
        const text = await sealer.seal('session', value)
        expect(await sealer.open('session', text)).toEqual({
          value: JSON.parse(JSON.stringify(value)),
          isOld: false,
        })
        expect(await sealer.open('login', text)).toBeUndefined()
        expect(await new Sealer(secrets, ['ab', '']).open('session', text)).toBeUndefined()
        expect(await sealer.seal('session', value)).not.toBe(text)
      }),
      { numRuns: 30 },
    )
  })

  test.each([
    ['a=b; own=x; c=d', 'a=b; c=d'],
    ['own=x', undefined],
    ['own=x;own~1=y;a=b', 'a=b'],
    ['', undefined],
    ['owner=x; =y; z', 'owner=x; =y; z'],
  ])('withoutCookies(%j) is %j', (header, rest) => {
    expect(withoutCookies(header, name => name === 'own' || name.startsWith('own~'))).toBe(rest)
  })
})
