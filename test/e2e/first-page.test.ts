import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { openHosts } from './support/hosts.ts'
import { answering } from './support/project.ts'

const hosts = await openHosts('first-page')

describe.each(hosts)('the first page of `npm $kind`', platform => {
  const apex = `localhost:${platform.port}`
  const get = (headers: Record<string, string> = {}) => platform.fetch(apex, '/', { headers })
  const page = async (cookie = '') => (await get({ accept: 'text/html', cookie })).text()
  const post = (path: string, body: string, headers: Record<string, string> = {}) =>
    platform.fetch(apex, path, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        accept: 'text/html',
        origin: `http://${apex}`,
        ...headers,
      },
      body,
    })
  const signIn = async (token: string) => {
    const response = await post('/sign-in', `token=${token}`)
    expect([response.status, response.headers.get('location')]).toEqual([303, '/'])
    return response.headers.get('set-cookie') ?? ''
  }
  const cookieOf = (setCookie: string) => setCookie.split(';')[0] ?? ''

  test('tells curl where wrangler finds the API', async () => {
    const response = await get()
    const text = await response.text()
    expect(response.headers.get('content-type')).toMatch(/^text\/plain/)
    expect(text).toContain(`export CLOUDFLARE_API_BASE_URL=http://${apex}/client/v4\n`)
    expect(text).toContain('ready')
    expect(text).not.toContain('Functions in')
  })

  test('tells curl with a token what is deployed', async () => {
    await platform.upload('listed', answering('listed'))
    const token = await platform.createToken('viewer')
    const text = await (await get({ authorization: `Bearer ${token}` })).text()
    expect(text).toContain(`Functions in first-page (${platform.accountId})`)
    expect(text).toContain(`listed  http://listed.${platform.domain}:${platform.port}/`)
  })

  test('is one HTML file that loads nothing, runs only its own script and is framed by nobody', async () => {
    const response = await get({ accept: 'text/html,*/*' })
    const html = await response.text()
    const policy = response.headers.get('content-security-policy') ?? ''
    const [, nonce] = /script-src 'nonce-([^']+)'/.exec(policy) ?? []
    expect(policy).toMatch(/^default-src 'none';/)
    expect(policy).toContain("frame-ancestors 'none'")
    expect(html).toContain(`<script nonce="${nonce}">`)
    expect(html).not.toMatch(/\bsrc=|@import|url\(/)
    expect(html.match(/<link[^>]+href="(?!data:)/g)).toBeNull()
    expect(html).not.toContain(platform.token)
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'cache-control': 'no-store',
      'referrer-policy': 'same-origin',
      'x-content-type-options': 'nosniff',
    })
    const again = (await get({ accept: 'text/html' })).headers.get('content-security-policy')
    expect(again).not.toBe(policy)
  })

  test('shows who signs in the functions of their account, and of no other', async () => {
    await platform.upload('mine', answering('mine'))
    const other = await platform.as('first-page-other')
    await other.upload('theirs', answering('theirs'))
    const html = await page(cookieOf(await signIn(await platform.createToken('viewer'))))
    expect(html).toContain(`<a href="http://mine.${platform.domain}:${platform.port}/">mine</a>`)
    expect(html).toContain(`CLOUDFLARE_ACCOUNT_ID=${platform.accountId}`)
    expect(html).not.toContain('theirs')
    expect(html).not.toContain('name="token"')
  })

  test('keeps the session in a cookie that scripts and other sites get no hold of, without the token', async () => {
    const token = await platform.createToken('viewer')
    const setCookie = await signIn(token)
    expect(setCookie).toMatch(/^skerry=[\w-]+; Max-Age=43200; Path=\/; HttpOnly; SameSite=Strict$/)
    const plain = Buffer.from(cookieOf(setCookie).slice('skerry='.length), 'base64url').toString('latin1')
    expect(plain).not.toContain(token)
    expect(plain).not.toContain(createHash('sha256').update(token).digest('hex'))
  })

  // Miniflare rewrites Origin.
  test.runIf(platform.kind === 'start')(
    'ties the cookie to this very host where the browser speaks TLS',
    async () => {
      const token = await platform.createToken('viewer')
      const response = await post('/sign-in', `token=${token}`, { origin: `https://${apex}` })
      const setCookie = response.headers.get('set-cookie') ?? ''
      expect(setCookie).toMatch(/^__Host-skerry=[\w-]+; .*Secure/)
      expect(await page(cookieOf(setCookie))).toContain('Sign out')
    },
  )

  test('forgets a revoked token at once', async () => {
    const { body } = await platform.v1<{ id: string; token: string }>('POST', '/tokens', {
      name: 'short-lived',
      role: 'viewer',
    })
    const cookie = cookieOf(await signIn(body.token))
    expect(await page(cookie)).toContain('short-lived')
    await platform.v1('DELETE', `/tokens/${body.id}`)
    expect(await page(cookie)).not.toContain('short-lived')
  })

  test('takes no cookie that was changed, cut or made up', async () => {
    const cookie = cookieOf(await signIn(await platform.createToken('viewer')))
    const last = cookie.endsWith('A') ? 'Q' : 'A'
    const forged = [
      `${cookie.slice(0, 30)}${last}${cookie.slice(31)}`,
      cookie.slice(0, 40),
      'skerry=',
      'skerry=e30',
    ]
    for (const text of forged.filter(text => text !== cookie)) {
      expect(await page(text), text).toContain('name="token"')
    }
  })

  test('opens no API', async () => {
    const cookie = cookieOf(await signIn(platform.token))
    for (const path of ['/api/v1/accounts', '/client/v4/accounts']) {
      expect((await platform.fetch(apex, path, { headers: { cookie } })).status, path).toBe(401)
    }
  })

  test.each([
    ['an unknown token', 'token=skerry_0', 'This token is not known here.'],
    ['no token', 'token=', 'Enter a token.'],
    ['another form', 'a=b', 'Enter a token.'],
  ])('refuses %s, in the page', async (_what, body, message) => {
    const response = await post('/sign-in', body)
    const html = await response.text()
    expect(response.status).toBe(401)
    expect(response.headers.has('set-cookie')).toBe(false)
    expect(html).toContain(`role="alert">${message}`)
  })

  test.each([
    ['another site', { origin: 'https://evil.example' }],
    ['a function, which is the same site', { origin: `http://evil.localhost:${platform.port}` }],
    ['a sandboxed frame', { origin: 'null' }],
  ])('refuses forms of %s', async (_what, headers) => {
    for (const path of ['/sign-in', '/sign-out']) {
      const response = await post(path, `token=${platform.token}`, headers)
      expect([response.status, ((await response.json()) as { code: string }).code], path).toEqual([
        403,
        'ERR_FORBIDDEN',
      ])
      expect(response.headers.has('set-cookie'), path).toBe(false)
    }
  })

  test('reads forms of at most 4,096 bytes', async () => {
    expect((await post('/sign-in', `token=${'x'.repeat(4096 - 6)}`)).status).toBe(401)
    expect((await post('/sign-in', `token=${'x'.repeat(4096 - 5)}`)).status).toBe(413)
  })

  test('signs out', async () => {
    const response = await post('/sign-out', '')
    expect(response.status).toBe(303)
    expect(response.headers.get('set-cookie')).toMatch(/^skerry=; Max-Age=0; Path=\//)
  })

  test('escapes what people chose', async () => {
    const { body } = await platform.v1<{ token: string }>('POST', '/tokens', {
      name: '<img src=x onerror=alert(1)>',
      role: 'viewer',
    })
    const html = await page(cookieOf(await signIn(body.token)))
    expect(html).toContain('&lt;img src=x')
    expect(html).not.toContain('<img')
  })
})
