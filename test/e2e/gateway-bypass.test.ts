import { beforeAll, describe, expect, test } from 'vitest'
import { applyGateway, putGatewaySecret, uploadMirror } from './support/gateway.ts'
import { openHosts } from './support/hosts.ts'

const hosts = await openHosts('gateway-bypass')
const HOST = 'bypass.example'

/** A protected path beside a public rest of the host, in front of the same function. */
const DOCUMENT = {
  paths: { case: 'insensitive' },
  routes: [
    { match: `${HOST}/admin/*`, script: 'mirror', use: ['users'] },
    { match: `${HOST}/admin/login`, script: 'mirror' },
    { match: `${HOST}/*`, script: 'mirror' },
  ],
  policies: { users: { type: 'basic', users: { ann: 'secret:ANN' } } },
}

/** Every one of them means `/admin/users`, `/admin` or something that some server takes for it. */
const SPELLINGS = [
  '/admin/users',
  '/admin',
  '/admin/',
  '//admin/users',
  '///admin///users',
  '/admin//users',
  '/./admin/users',
  '/admin/./users',
  '/x/../admin/users',
  '/x/%2e%2e/admin/users',
  '/x/.%2e/admin/users',
  '/x/%2E./admin/users',
  '/%2e/admin/users',
  '/admin/x/../users',
  '/admin/login/../users',
  '/admin/login/%2e%2e/users',
  '/%61dmin/users',
  '/%41dmin/users',
  '/adm%69n/users',
  '/%61%64%6d%69%6e/%75sers',
  '/admin%2fusers',
  '/admin%2Fusers',
  '/%2fadmin/users',
  '/admin%5cusers',
  '/admin\\users',
  '\\admin\\users',
  '/x\\..\\admin\\users',
  '/admin%5Cusers',
  '/admin%252fusers',
  '/%2561dmin/users',
  '/x/%252e%252e/admin/users',
  '/ADMIN/users',
  '/Admin/Users',
  '/aDMIN',
  '/admin;x=1/users',
  '/admin/;x=1',
  '/;/admin/users',
  '/..;/admin/users',
  '/x/..;/admin/users',
  '/admin/..;/admin/users',
  '/admin%00/users',
  '/admin/users%00',
  '/%00/admin/users',
  '/admin%0a/users',
  '/admin%0d%0a/users',
  '/admin%09/users',
  '/admin%ef%bc%8fusers',
  '/%ef%bd%81dmin/users',
  '/admin%c0%afusers',
  '/%c0%ae%c0%ae/admin/users',
  '/x/%c0%ae%c0%ae/admin/users',
  '/admin%e0%80%afusers',
  '/admin%u002fusers',
  '/admin%zz/users',
  '/admin%/users',
  '/admin%2/users',
  '/..//admin/users',
  '/../../admin/users',
  '/x/..//admin/users',
  '/x//../admin/users',
  '/.//admin/users',
  '/admin/users/',
  '/admin/users?x=/../login',
  '/admin/users?',
  '/admin/users?/admin/login',
  '/admin/users#/admin/login',
  '/admin?/../login',
] as const

/** A public path under which none of them may be found. */
const isPublic = (path: string) => !/^\/admin(?!\/login$)(\/|$)/i.test(path)

describe.each(hosts)('a policy can’t be walked around on `npm $kind`', platform => {
  beforeAll(async () => {
    await uploadMirror(platform, 'mirror')
    await putGatewaySecret(platform, 'ANN', 'right')
    await applyGateway(platform, DOCUMENT)
  })

  test('what is public stays public', async () => {
    // The last two are other names, though Windows' file systems would take them for the same.
    const others = ['/admin./users', '/admin%20/users']
    for (const path of ['/', '/x', '/administrator', '/admin/login', '/x/admin/users', ...others]) {
      expect([path, (await platform.fetch(HOST, path)).status]).toEqual([path, 200])
    }
  })

  test.each(SPELLINGS)('%s', async path => {
    const response = await platform.fetch(HOST, path)
    const text = await response.text()
    if (response.status === 200) {
      // Let through is only what nobody takes for the protected path: the function saw another one.
      const seen = new URL((JSON.parse(text) as { url: string }).url).pathname
      expect([seen, isPublic(decodeURIComponent(seen))]).toEqual([seen, true])
      expect(seen).not.toMatch(/[\\]|%2f|%5c|%00|\/\/|\/\.\.?(\/|;|$)|%25/i)
      // wrangler dev resolves dots itself, as URLs have it: there `/x//../admin` is `/x/admin`.
      expect([path, platform.kind]).toEqual([path, 'dev'])
    } else expect([400, 401, 404]).toContain(response.status)
  })

  test.each(['skerry-identity', 'Skerry-Identity', 'SKERRY-SUBJECT', 'skerry-scopes', 'skerry-roles'])(
    'the header %s authenticates nobody',
    async name => {
      const response = await platform.fetch(HOST, '/admin/users', { headers: { [name]: 'ann' } })
      expect(response.status).toBe(401)
    },
  )

  test.each([
    ['X-Original-URL', '/admin/login'],
    ['X-Rewrite-URL', '/admin/login'],
    ['X-Forwarded-Prefix', '/admin/login'],
    ['X-HTTP-Method-Override', 'OPTIONS'],
    ['X-Forwarded-Host', 'elsewhere.example'],
    ['Forwarded', 'host=elsewhere.example'],
  ])('the header %s changes nothing', async (name, value) => {
    const response = await platform.fetch(HOST, '/admin/users', { headers: { [name]: value } })
    expect(response.status).toBe(401)
  })

  test.each(['HEAD', 'OPTIONS', 'POST', 'PROPFIND', 'get'])(
    'the method %s is no way around',
    async method => {
      expect([400, 401]).toContain((await platform.fetch(HOST, '/admin/users', { method })).status)
    },
  )

  test.each([`${HOST.toUpperCase()}`, `${HOST}:80`, `${HOST}.`])('the host spelt %s', async host => {
    expect([400, 401, 404]).toContain((await platform.fetch(host, '/admin/users')).status)
  })
})
