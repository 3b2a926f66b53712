import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Sealer } from '../../routes/policies/oidc/seal.ts'
import { FakeBrowser } from '../policies/fake-browser.ts'
import { CLIENT_ID, CLIENT_SECRET } from '../policies/fake-provider.ts'
import type { Platform } from './support/client.ts'
import { waysTo } from './support/edges.ts'
import { applyGateway, type Mirrored, putGatewaySecret, uploadMirror } from './support/gateway.ts'
import { openHosts } from './support/hosts.ts'
import { type FakeIdentityProvider, startIdentityProvider } from './support/identity-provider.ts'

const hosts = await openHosts('gateway-login')
const HOST = 'login.example'
const SESSION_SECRET = 'a secret of thirty-two characters'
const SITE = `http://${HOST}`

describe.each(hosts)('logging in, on `npm $kind`,', platform => {
  let provider: FakeIdentityProvider
  /** Each edge alone. */
  let ways: Platform['fetch'][]

  beforeAll(async () => {
    provider = await startIdentityProvider()
    await uploadMirror(platform, 'mirror')
    await putGatewaySecret(platform, 'CLIENT', CLIENT_SECRET)
    await putGatewaySecret(platform, 'SESSION', SESSION_SECRET)
    await applyGateway(platform, {
      routes: [{ match: [`${HOST}/app/*`, `${HOST}/.auth/*`], script: 'mirror', use: ['people'] }],
      policies: {
        people: {
          type: 'oidc',
          issuer: `${provider.issuer}/realm`,
          client_id: CLIENT_ID,
          client_secret: 'secret:CLIENT',
          session_secret: 'secret:SESSION',
          post_logout: '/app/bye',
        },
      },
    })
    ways = waysTo(platform)
  })
  afterAll(() => provider?.stop())

  /** A browser whose requests go round the edges: no edge may have to know what another one did. */
  const openBrowser = () => {
    let turn = 0
    return new FakeBrowser(SITE, async request => {
      const { pathname, search } = new URL(request.url)
      const way = ways[turn++ % ways.length] ?? platform.fetch
      const { method, headers } = request
      return way(HOST, pathname + search, { method, headers: Object.fromEntries(headers) })
    })
  }
  const follow = async (response: Response) => {
    const answer = await fetch(response.headers.get('location') ?? '', { redirect: 'manual' })
    return answer.headers.get('location') ?? ''
  }
  const login = async (browser: FakeBrowser, path: string) => {
    const away = await browser.open(path)
    expect(away.status).toBe(302)
    return browser.open(await follow(away), { 'sec-fetch-site': 'cross-site' })
  }

  test('logs a person in, tells the function who it is, and logs out again', async () => {
    const browser = openBrowser()
    const away = await browser.open('/app/orders?page=2')
    expect([away.status, away.headers.get('cache-control')]).toEqual([302, 'no-store'])
    expect(away.headers.get('location')).toMatch(`${provider.issuer}/realm/authorize?`)

    const callback = await follow(away)
    expect(callback).toMatch(`${SITE}/.auth/callback?`)
    const back = await browser.open(callback, { 'sec-fetch-site': 'cross-site' })
    expect([back.status, back.headers.get('location')]).toEqual([302, `${SITE}/app/orders?page=2`])
    expect([...browser.cookies.keys()]).toEqual(['skerry-people'])

    browser.cookies.set('theirs', 'kept')
    for (let i = 0; i < 3; i++) {
      const page = (await (await browser.open('/app/orders?page=2')).json()) as Mirrored
      expect(page.props.identity).toMatchObject({
        ...{ type: 'oidc', policy: 'people', subject: 'ann', roles: ['buyer'] },
      })
      expect(page.headers.cookie).toBe('theirs=kept')
    }
    expect(await (await browser.ask('/.auth/me')).json()).toMatchObject({
      subject: 'ann',
      roles: ['buyer'],
    })

    const out = await browser.ask('/.auth/logout', { method: 'POST' })
    expect(out.status).toBe(303)
    expect(out.headers.get('location')).toMatch(`${provider.issuer}/realm/logout?`)
    expect(await follow(out)).toBe(`${SITE}/app/bye`)
    expect([...browser.cookies.keys()]).toEqual(['theirs'])
    expect((await browser.ask('/.auth/me')).status).toBe(401)
    expect((await browser.open('/app/orders')).status).toBe(302)
  })

  test('a callback counts once, on whichever edge, and only in the browser that began', async () => {
    const browser = openBrowser()
    const away = await browser.open('/app/')
    const cookies = new Map(browser.cookies)
    const callback = await follow(away)
    const stranger = openBrowser()
    expect((await stranger.open(callback)).status).toBe(400)
    expect((await browser.open(callback)).status).toBe(302)
    const thief = openBrowser()
    for (const [name, value] of cookies) thief.cookies.set(name, value)
    expect((await thief.open(callback)).status).toBe(403)
    expect([...thief.cookies.keys()]).not.toContain('skerry-people')
  })

  test('a session that was changed by one character is none', async () => {
    const browser = openBrowser()
    expect((await login(browser, '/app/')).status).toBe(302)
    const session = browser.cookies.get('skerry-people') ?? ''
    expect((await browser.ask('/.auth/me')).status).toBe(200)
    const at = session.length >> 1
    const changed = session.slice(0, at) + (session[at] === 'A' ? 'B' : 'A') + session.slice(at + 1)
    browser.cookies.set('skerry-people', changed)
    expect((await browser.ask('/.auth/me')).status).toBe(401)
  })

  test('of all requests with an old session, on all edges, one refreshes it', async () => {
    const browser = openBrowser()
    await login(browser, '/app/')
    // As it is when the access token is about to expire.
    const sealer = new Sealer([SESSION_SECRET], ['people', `${provider.issuer}/realm`, CLIENT_ID])
    const [, text = ''] = (browser.cookies.get('skerry-people') ?? '').split('1.')
    const opened = await sealer.open('session', text)
    const old = await sealer.seal('session', { ...(opened?.value as object), refreshAtMs: Date.now() - 1 })
    const headers = { cookie: `skerry-people=1.${old}` }
    const refreshes = () => provider.asked.filter(each => each === 'POST /realm/token').length
    const before = refreshes()
    const requests = Array.from({ length: 20 }, (_, i) =>
      (ways[i % ways.length] ?? platform.fetch)(HOST, '/app/', { headers }),
    )
    const answers = await Promise.all(requests)
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200))
    expect(refreshes() - before).toBe(1)
    // Who comes later with the old one gets the new one, and doesn't ask the provider.
    for (const way of ways) {
      const late = await way(HOST, '/app/', { headers })
      expect([late.status, late.headers.getSetCookie().length]).toEqual([200, 1])
    }
    expect(refreshes() - before).toBe(1)
    browser.cookies.set('skerry-people', `1.${old}`)
    await browser.open('/app/')
    expect(browser.cookies.get('skerry-people')).not.toBe(`1.${old}`)
    expect((await browser.ask('/.auth/me')).status).toBe(200)
  })

  test('who is no browser gets 401, not a login', async () => {
    const response = await platform.fetch(HOST, '/app/data')
    expect([response.status, await response.json()]).toMatchObject([401, { code: 'ERR_LOGIN_REQUIRED' }])
  })
})
