import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Miniflare } from 'miniflare'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ask, type Said, startSites, type TestSite, writeFiles } from '../support/assets-sites.ts'
import type { Workerd } from '../support/workerd.ts'

const root = mkdtempSync(join(tmpdir(), 'assets-contract-'))

/** Names that html_handling, percent-encoding and `not_found_handling` have something to say about. */
const TREE = [
  'index.html',
  'about.html',
  'about.txt',
  'both.html',
  'both/index.html',
  'only/index.html',
  'only/deep/page.html',
  'index/index.html',
  'files/index',
  'files/index.html',
  'same.html',
  'same',
  'html/.html',
  '404.html',
  'only/404.html',
  'a b.txt',
  'é.html',
  'at@sign.txt',
  "quote's(1)!.txt",
  'percent%41.txt',
  'noending',
  'image.png',
  'colon:x.txt',
  'x.html/inner.html',
]

writeFiles(join(root, 'tree'), Object.fromEntries(TREE.map(path => [path, `content of ${path}`])))
writeFiles(join(root, 'plain'), { 'index.html': 'the app', 'app.js': 'js()', 'sub/index.html': 'sub' })
writeFiles(join(root, 'rules'), {
  'index.html': 'home',
  'page.html': 'page',
  'new/target.html': 'target',
  'app/shell.html': 'shell',
  'app/a%20b.html': 'odd',
  'image.png': 'png',
  _headers: `# comments, and blank lines

/*
  X-All: all
  Cache-Control: public, max-age=60
/page
  X-All: page
  X-Page: one
  X-Page: two
/image.png
  ! X-All
  ! Cache-Control
  Content-Type: image/x-test
/new/:name
  X-Name: :name
  X-Missing: :other
/app/*
  X-Splat: is :splat
  Link: </:splat>; rel=x
  Link: <a>
https://site.test/*
  X-Host: https
https://:sub.test/page
  X-Sub: :sub
/gone
  X-Gone: yes
/post
  X-Post: yes
/page
  X-Second: block
`,
  _redirects: `# from to status
/old /new/target
/old-301 /new/target 301
/old-303 /new/target?b=2 303
/old-307 /new/target#top 307
/old-308 https://example.com/x?y=1#z 308
/proxy /new/target.html 200
/proxy-page /page 200
/proxy-missing /nowhere 200
/proxy-odd /app/a%2520b 200
/double //example.com/x
relative /page
/first /one
/first /two
/with%20space /page
/page.html /overridden
/s/* /new/:splat
/p/:a/:b /q/:b/:a
/p/:a /r/:a 307
/x/:id/y/* https://:id.example.com/:splat 301
/m/:a-:b /n/:b/:a
/multi/*/x /multi
/late /new/target
/twice/:a/:a /never
/open/* /:splat
/spa/* /app/shell.html 200
`,
})

const html = ['auto-trailing-slash', 'force-trailing-slash', 'drop-trailing-slash', 'none'] as const
const TREES = [
  ['auto-trailing-slash', 'none'],
  ['auto-trailing-slash', '404-page'],
  ['auto-trailing-slash', 'single-page-application'],
  ['force-trailing-slash', '404-page'],
  ['drop-trailing-slash', 'none'],
  ['drop-trailing-slash', 'single-page-application'],
  ['none', '404-page'],
] as const
const tree = join(root, 'tree')
const plain = join(root, 'plain')
const rules = join(root, 'rules')

const sites: Record<string, TestSite> = {
  ...Object.fromEntries(
    TREES.map(([html_handling, not_found_handling]) => [
      `${html_handling} ${not_found_handling}`,
      { dir: tree, config: { html_handling, not_found_handling }, isBare: true },
    ]),
  ),
  ...Object.fromEntries(
    html.map(html_handling => [
      `rules ${html_handling}`,
      { dir: rules, config: { html_handling, not_found_handling: '404-page' as const } },
    ]),
  ),
  ...Object.fromEntries(
    html.map(html_handling => [
      `base ${html_handling}`,
      {
        dir: plain,
        config: { html_handling, base_path: '/docs', not_found_handling: 'single-page-application' as const },
      },
    ]),
  ),
  'worker after': { dir: plain },
  'worker after, spa': { dir: plain, config: { not_found_handling: 'single-page-application' } },
  'worker after, spa, old date': {
    dir: plain,
    config: { not_found_handling: 'single-page-application' },
    compatibilityDate: '2025-03-31',
  },
  'worker after, spa, old date, flag': {
    dir: plain,
    config: { not_found_handling: 'single-page-application' },
    compatibilityDate: '2025-03-31',
    compatibilityFlags: ['assets_navigation_prefers_asset_serving'],
  },
  'worker after, spa, flag off': {
    dir: plain,
    config: { not_found_handling: 'single-page-application' },
    compatibilityFlags: ['assets_navigation_has_no_effect'],
  },
  'worker first': { dir: plain, config: { run_worker_first: true } },
  'worker first by pattern': {
    dir: plain,
    config: { run_worker_first: ['/api/*', '!/api/docs/*', '/sub/', '/*.js', '!/x*y*z'] },
  },
  'worker first by pattern, spa': {
    dir: plain,
    config: { run_worker_first: ['/api/*'], not_found_handling: 'single-page-application' },
  },
}

/** Where ours differs: what ours says, and why. README.md lists them. */
const DIFFERENCES: Readonly<Record<string, { ours: object; why: string }>> = {
  '/open/$&': {
    ours: { headers: expect.objectContaining({ location: '/$&' }) },
    why: 'a $ in a path is no instruction of replaceAll()',
  },
}

/** Every spelling of a file's path that could lead to it or past it. */
function spellings(path: string): string[] {
  const full = `/${path.split('/').map(encodeURIComponent).join('/')}`
  const stem = full.replace(/(\/index)?\.html$|\/index$/, '')
  const ends = ['', '/', '.html', '/index', '/index.html', '/index/', '.html/', '/index.html/', '/missing']
  return [full, `${full}/`, ...ends.map(end => `${stem}${end}`)]
}

type Case = readonly [path: string, init?: { method?: string; headers?: Record<string, string> }]

const TREE_CASES: Case[] = [
  ...[...new Set(TREE.flatMap(spellings))].filter(path => path.startsWith('/')).map((path): Case => [path]),
  ...(
    [
      '//about',
      '/only//deep/page',
      '/only/../about',
      '/./about.html?q=1&r',
      '/about.html?',
      '/?q',
      '/at@sign.txt?x=%20',
      '/a%20b.txt',
      '/a+b.txt',
      '/%61bout',
      '/%C3%A9',
      '/%c3%a9',
      '/é',
      '/%E9',
      '/percent%2541.txt',
      '/percent%41.txt',
      '/%zz',
      '/only%2Fdeep%2Fpage',
      '/about%2Ehtml',
      '/\\about',
      '/about.html#x',
      '/nothing/here/at/all',
      '/ABOUT',
    ] as const
  ).map((path): Case => [path]),
  ['/about', { method: 'HEAD' }],
  ['/about.html', { method: 'HEAD' }],
  ['/about', { method: 'POST' }],
  ['/about.html', { method: 'DELETE' }],
  ['/nothing', { method: 'POST' }],
  ['/nothing', { method: 'HEAD' }],
  ['/about', { method: 'OPTIONS' }],
  ['/about.txt', { headers: { range: 'bytes=0-3' } }],
  ['/about.txt', { headers: { authorization: 'Bearer x' } }],
  ['/about.txt', { headers: { 'if-none-match': '"nope"' } }],
]

const RULE_CASES: Case[] = (
  [
    '/',
    '/page',
    '/page?x=1',
    '/page.html',
    '/image.png',
    '/new/target',
    '/new/target.html',
    '/new/a/b',
    '/app/shell',
    '/app/x/y?z',
    '/app/',
    '/gone',
    '/old',
    '/old?a=1',
    '/old/',
    '/old-301?a=1',
    '/old-303?a=1',
    '/old-303',
    '/old-307?a=1',
    '/old-308?a=1',
    '/old-308',
    '/proxy',
    '/proxy?x=1',
    '/proxy-page',
    '/proxy-missing',
    '/proxy-odd',
    '/double',
    '/relative',
    '/first',
    '/with%20space',
    '/s/',
    '/s/a/b?c=d',
    '/s/%2F%2Fevil.com',
    '/s',
    '/p/1/2',
    '/p/1',
    '/p/1/2/3',
    '/p/%20/é',
    '/x/me/y/a/b?q',
    '/x/me/y/',
    '/m/a-b',
    '/m/a-b-c',
    '/m/a',
    '/multi/a/b/x?q=1',
    '/multi/x',
    '/late',
    '/twice/1/1',
    '/open//example.com/x',
    '/open/%5C%5Cexample.com',
    '/open/a',
    '/open/$&',
    '/spa/anything/else',
    '/spa/',
    '/_headers',
    '/_redirects',
  ] as const
)
  .map((path): Case => [path])
  .concat([
    ['/post', { method: 'POST' }],
    ['/old', { method: 'POST' }],
    ['/proxy', { method: 'POST' }],
    ['/proxy-missing', { method: 'POST' }],
    ['/page', { method: 'PUT' }],
    ['/page', { headers: { authorization: 'x' } }],
    ['/page', { method: 'HEAD' }],
  ])

const navigate = { 'sec-fetch-mode': 'navigate' }
const ROUTE_CASES: Case[] = (
  [
    '/',
    '/app.js',
    '/sub/',
    '/sub',
    '/sub/index.html',
    '/nothing',
    '/api/x',
    '/api/docs/x',
    '/api/',
    '/api',
    '/xAyBz',
    '/xyz.js',
    '/x.js?a=/api/',
  ] as const
).flatMap((path): Case[] => [
  [path],
  [path, { headers: navigate }],
  [path, { method: 'POST' }],
  [path, { method: 'POST', headers: navigate }],
])

const BASE_CASES: Case[] = (
  [
    '/',
    '/docs',
    '/docs/',
    '/docs/app.js',
    '/app.js',
    '/docs/sub',
    '/docs/sub/',
    '/docs/nothing',
    '/docsx',
    '/docs/index.html',
    '/docs//sub/',
    '/%64ocs/app.js',
  ] as const
).flatMap((path): Case[] => [[path], [path, { headers: navigate }], [path, { method: 'POST' }]])

function casesOf(site: string): readonly Case[] {
  if (site.startsWith('rules ')) return RULE_CASES
  if (site.startsWith('base ')) return BASE_CASES
  return site.startsWith('worker ') ? ROUTE_CASES : TREE_CASES
}

describe('static files', () => {
  let ours: Workerd
  let native: Miniflare
  const ports = { ours: 0, native: 0 }

  beforeAll(async () => {
    native = startNative()
    ours = await startSites(sites)
    ports.ours = Number(new URL(ours.url).port)
    ports.native = Number((await native.ready).port)
  })
  afterAll(async () => {
    await Promise.all([ours?.stop(), native?.dispose()])
    rmSync(root, { recursive: true, force: true })
  })

  const both = async (site: string, [path, init]: Case) => {
    const headers = { host: 'site.test', 'x-site': site, ...init?.headers }
    const sent = { ...init, headers }
    const [own, theirs] = await Promise.all([ask(ports.ours, path, sent), ask(ports.native, path, sent)])
    return { own: compared(own), theirs: compared(theirs) }
  }

  test.each(Object.keys(sites))("answers as Miniflare's: %s", async site => {
    const left = casesOf(site).filter(([path]) => !Object.hasOwn(DIFFERENCES, path))
    while (left.length > 0) {
      const some = left.splice(0, 16)
      for (const [i, { own, theirs }] of (await Promise.all(some.map(item => both(site, item)))).entries()) {
        expect({ case: some[i], ...own }).toEqual({ case: some[i], ...theirs })
      }
    }
  })

  test.each(Object.entries(DIFFERENCES))('differs as declared: %s', async (path, { ours: expected }) => {
    const { own, theirs } = await both('rules auto-trailing-slash', [path])
    expect(own).toMatchObject(expected)
    expect(theirs).not.toMatchObject(expected)
  })

  test('answers 304 to the ETag it gave, strong or weak, alone', async () => {
    const site = 'rules auto-trailing-slash'
    const { own } = await both(site, ['/page'])
    const etag = own.headers.etag ?? ''
    for (const match of [etag, `W/${etag}`, `"x", ${etag}`, '*', `${etag}x`]) {
      for (const method of ['GET', 'HEAD', 'POST']) {
        const item: Case = ['/page', { method, headers: { 'if-none-match': match } }]
        const { own, theirs } = await both(site, item)
        expect({ case: item, ...own }).toEqual({ case: item, ...theirs })
        if (match === etag && method === 'GET') expect(own.status).toBe(304)
      }
    }
  })
})

/** All but what says how long something took, and what Miniflare adds for its own log. */
function compared({ status, statusText, headers, body }: Said) {
  const { date: _, 'cf-cache-status': __, 'x-mf-additional-response-log': ___, ...rest } = headers
  return { status, statusText, headers: rest, body: body.toString() }
}

function startNative(): Miniflare {
  const names = Object.keys(sites)
  const id = (site: string) => `site-${names.indexOf(site)}`
  const module = (code: string) => ({
    mainModule: 'index.js',
    modulesRoot: '/',
    modules: { 'index.js': { type: 'esm' as const, contents: code } },
  })
  const router = `const names = ${JSON.stringify(names)}
    export default { fetch: (request, env) => env['site-' + names.indexOf(request.headers.get('x-site'))].fetch(request) }`
  const worker = `export default { fetch: r =>
    new Response(r.method === 'HEAD' ? null : 'worker: ' + r.method + ' ' + new URL(r.url).pathname) }`
  return new Miniflare({
    cf: false,
    workers: [
      {
        config: {
          name: 'router',
          compatibilityDate: '2026-11-01',
          manifest: module(router),
          env: Object.fromEntries(
            names.map(site => [id(site), { type: 'worker' as const, worker: id(site) }]),
          ),
        },
      },
      ...Object.entries(sites).map(([name, site]) => ({
        config: {
          name: id(name),
          compatibilityDate: site.compatibilityDate ?? '2026-11-01',
          compatibilityFlags: [...(site.compatibilityFlags ?? [])],
          manifest: module(worker),
          assets: {
            directory: site.dir,
            hasUserWorker: !site.isBare,
            htmlHandling: site.config?.html_handling,
            notFoundHandling: site.config?.not_found_handling,
            basePath: site.config?.base_path,
            runWorkerFirst: site.config?.run_worker_first as boolean | string[] | undefined,
          },
        },
      })),
    ],
  })
}
