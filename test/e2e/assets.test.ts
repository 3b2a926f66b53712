import { brotliDecompressSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import type { Platform } from './support/client.ts'
import { toUploadForm } from './support/client.ts'
import { applyGateway } from './support/gateway.ts'
import { openHosts } from './support/hosts.ts'
import { createProject, createWorker } from './support/project.ts'

const hosts = await openHosts('assets')

/** Says that the Worker was asked, and asks its own files for paths below `/via`. */
const WORKER = `export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url)
    if (pathname.startsWith('/via')) return env.ASSETS.fetch(new URL(pathname.slice(4), request.url))
    return new Response('worker ' + request.method + ' ' + pathname)
  },
}`
const HASH = { a: 'a'.repeat(32), b: 'b'.repeat(32) }
const base64 = (text: string) => Buffer.from(text).toString('base64')

describe.each(hosts)('static files on `npm $kind`', platform => {
  const wrangler = async (dir: string, ...args: string[]) => {
    const finished = await platform.wrangler(args, { cwd: dir })
    expect(finished.code, finished.all).toBe(0)
    return finished.all
  }

  test('wrangler deploys a directory beside a Worker; the next deploy sends what changed', async () => {
    const assets = { directory: 'public', binding: 'ASSETS', not_found_handling: '404-page' }
    const project = createWorker('site', WORKER, { assets })
    project.write({
      'public/index.html': 'home',
      'public/docs/index.html': 'docs',
      'public/404.html': 'no such page',
      'public/a b.txt': 'text',
      'public/empty': '',
      'public/_headers': '/docs/*\n  X-Docs: :splat!\n',
      'public/_redirects': '/old/* /docs/:splat 301\n',
    })
    expect(await wrangler(project.dir, 'deploy')).toContain('Uploaded 5 of 5 assets')
    expect(await platform.read('site')).toBe('home')
    expect(await platform.read('site', '/a%20b.txt')).toBe('text')
    expect(await platform.read('site', '/empty')).toBe('')
    expect(await platform.read('site', '/nothing')).toBe('worker GET /nothing')
    expect(await platform.read('site', '/', { method: 'POST' })).toBe('405 ')
    expect(await platform.read('site', '/via/nothing')).toBe('404 no such page')
    const docs = await platform.call('site', '/docs/')
    expect([docs.headers.get('x-docs'), docs.headers.get('content-type'), await docs.text()]).toEqual([
      '!',
      'text/html; charset=utf-8',
      'docs',
    ])
    const via = await platform.call('site', '/via/docs/', { headers: coded(platform) })
    expect([via.headers.get('x-docs'), await via.text()]).toEqual(['!', 'docs'])
    const moved = await platform.call('site', '/old/x?y=1')
    expect([moved.status, moved.headers.get('location')]).toEqual([301, '/docs/x?y=1'])

    expect(await wrangler(project.dir, 'deploy')).toContain('No updated asset files to upload')
    project.write({ 'public/index.html': 'home, changed' })
    expect(await wrangler(project.dir, 'deploy')).toContain('Uploaded 1 of 1 asset')
    expect(await platform.read('site')).toBe('home, changed')
    const { result } = await platform.api<{ bindings: unknown[] }>('GET', '$A/workers/scripts/site/settings')
    expect(result.bindings).toEqual([{ type: 'assets', name: 'ASSETS' }])

    const refused = await (async () => {
      project.write({ 'public/_redirects': '/* /index.html 200\n' })
      return platform.wrangler(['deploy'], { cwd: project.dir })
    })()
    expect(refused.code).toBe(1)
    expect(refused.all).toContain('Line 1: Infinite loop detected in this rule.')
    expect(refused.all).toContain('[code: 100324]')
    expect(await platform.read('site')).toBe('home, changed')
  })

  test('a project without code is served; previews and shares have the files of their version', async () => {
    const project = createProject({
      'wrangler.json': { name: 'bare', compatibility_date: '2026-11-01', assets: { directory: 'public' } },
      'public/index.html': 'one',
    })
    await wrangler(project.dir, 'deploy')
    expect(await platform.read('bare')).toBe('one')
    expect(await platform.read('bare', '/nothing')).toBe('404 ')

    project.write({ 'public/index.html': 'two' })
    const uploaded = await wrangler(project.dir, 'versions', 'upload')
    const [, id = ''] = /Worker Version ID: ([0-9a-f-]{36})/.exec(uploaded) ?? []
    expect(await platform.read('bare')).toBe('one')
    const preview = `${id.slice(0, 8)}-bare.${platform.domain}:${platform.port}`
    expect(await (await platform.fetch(preview)).text()).toBe('two')
    const { result } = await platform.api<{ items: { id: string }[] }>(
      'GET',
      '$A/workers/scripts/bare/versions',
    )
    const first = result.items.at(-1)?.id
    const versions = [
      { version_id: id, percentage: 50 },
      { version_id: first, percentage: 50 },
    ]
    await platform.api('POST', '$A/workers/scripts/bare/deployments', { strategy: 'percentage', versions })
    const header = (version = '') => ({ 'cloudflare-workers-version-overrides': `bare="${version}"` })
    expect(await platform.read('bare', '/', { headers: header(id) })).toBe('two')
    expect(await platform.read('bare', '/', { headers: header(first) })).toBe('one')
  })

  test('a service binding sees the files as a caller from outside does', async () => {
    const { jwt } = await uploadFiles(platform, 'behind', { '/file.txt': 'a file' })
    await platform.upload('behind', WORKER, { assets: { jwt } })
    await platform.upload('front', `export default { fetch: (request, env) => env.BEHIND.fetch(request) }`, {
      bindings: [{ type: 'service', name: 'BEHIND', service: 'behind' }],
    })
    const headers = coded(platform)
    expect(await platform.read('front', '/file.txt', { headers })).toBe('a file')
    expect(await platform.read('front', '/other', { headers })).toBe('worker GET /other')
  })

  test('policies of the gateway hold for files', async () => {
    const { jwt } = await uploadFiles(platform, 'guarded', { '/file.txt': 'words, '.repeat(100) })
    await platform.upload('guarded', WORKER, { assets: { jwt } })
    await applyGateway(platform, {
      script_hosts: 'all',
      routes: [
        { match: 'assets.example/closed/*', script: 'guarded', rewrite: '/file.txt', use: ['keys'] },
        { match: 'assets.example/cached/*', script: 'guarded', rewrite: '/file.txt', use: ['cached'] },
      ],
      policies: { keys: { type: 'api-key' }, cached: { type: 'cache', ttl: '1m' } },
    })
    const headers = { 'accept-encoding': 'br' }
    const closed = await platform.fetch('assets.example', '/closed/x', { headers })
    expect(closed.status).toBe(401)
    for (let i = 0; i < 3; i++) {
      const answer = await platform.fetch('assets.example', '/cached/x', { headers })
      const bytes = Buffer.from(await answer.arrayBuffer())
      const isCoded = answer.headers.get('content-encoding') === 'br'
      expect((isCoded ? brotliDecompressSync(bytes) : bytes).toString()).toBe('words, '.repeat(100))
    }
    const direct = await platform.call('guarded', '/file.txt', { headers })
    expect([direct.status, direct.headers.get('content-encoding')]).toEqual([200, 'br'])
    await direct.arrayBuffer()
  })

  test('keep_assets keeps the files of the version before, with its configuration or another', async () => {
    const { jwt } = await uploadFiles(platform, 'keeper', { '/index.html': 'kept' })
    const spa = { not_found_handling: 'single-page-application' }
    await platform.upload('keeper', WORKER, {
      assets: { jwt, config: { ...spa, run_worker_first: ['/api/*'] } },
    })
    await platform.upload('keeper', WORKER, { keep_assets: true })
    expect(await platform.read('keeper', '/any')).toBe('kept')
    expect(await platform.read('keeper', '/api/x')).toBe('worker GET /api/x')
    await platform.upload('keeper', WORKER, { keep_assets: true, assets: { config: {} } })
    expect(await platform.read('keeper')).toBe('kept')
    expect(await platform.read('keeper', '/any')).toBe('worker GET /any')
    await platform.upload('keeper', WORKER)
    expect(await platform.read('keeper')).toBe('worker GET /')
  })

  test('an upload session asks for each file once, and ends when all are there', async () => {
    const session = await open(platform, 'session', {
      '/a.txt': { hash: HASH.a, size: 1 },
      '/copy.txt': { hash: HASH.a, size: 1 },
      '/b': { hash: HASH.b, size: 0 },
    })
    expect(session.result.buckets.flat().sort()).toEqual([HASH.a, HASH.b])
    const { jwt } = session.result
    expect(await send(platform, jwt, { [HASH.a]: base64('a') })).toMatchObject({ status: 202, result: {} })
    const early = await platform.api('PUT', '$A/workers/scripts/session', bareForm({ jwt }))
    expect([early.status, early.errors[0]?.error_code]).toEqual([401, 'ERR_ASSETS_TOKEN'])
    const last = await send(platform, jwt, { [HASH.b]: '' }, '')
    expect(last).toMatchObject({ status: 201, result: { jwt: expect.any(String) } })
    const put = await platform.api('PUT', '$A/workers/scripts/session', bareForm(last.result))
    expect(put).toMatchObject({ status: 200, result: { has_assets: true, has_modules: false } })
    expect(await platform.read('session', '/copy.txt')).toBe('a')
    const untyped = await platform.call('session', '/b')
    expect([untyped.status, untyped.headers.get('content-type')]).toEqual([200, null])

    // Another script of the account needs not send them again.
    const again = await open(platform, 'session-2', { '/x': { hash: HASH.a, size: 1 } })
    expect(again.result.buckets).toEqual([])
    const second = await platform.api(
      'PUT',
      '$A/workers/scripts/session-2',
      bareForm({ jwt: again.result.jwt }),
    )
    expect(second.status, JSON.stringify(second.errors)).toBe(200)
    expect(await platform.read('session-2', '/x')).toBe('a')
  })

  test.each<[what: string, manifest: unknown, message: string | undefined]>([
    ['a file of 25 MiB', { '/a': { hash: '1'.repeat(32), size: 26_214_400 } }, undefined],
    [
      'a file of a byte more',
      { '/a': { hash: '1'.repeat(32), size: 26_214_401 } },
      'the limit for one file is 26214400',
    ],
    ['20,000 files', manyFiles(20_000), undefined],
    ['20,001 files', manyFiles(20_001), 'it has 20001 files; the limit is 20000'],
    ['a path without slash', { a: { hash: HASH.a, size: 1 } }, 'It maps paths to'],
    ['a hash of 31 digits', { '/a': { hash: 'a'.repeat(31), size: 1 } }, 'It maps paths to'],
    ['a size that is none', { '/a': { hash: HASH.a, size: -1 } }, 'It maps paths to'],
    ['no object', 'x', 'It maps paths to'],
  ])('a manifest of %s', async (_what, manifest, message) => {
    const answer = await open(platform, 'bounds', manifest)
    expect(answer.status).toBe(message === undefined ? 200 : 400)
    if (message !== undefined) expect(answer.errors[0]?.message).toContain(message)
  })

  test('files are refused that no session asked for, or that are not what it said', async () => {
    const { jwt } = (await open(platform, 'odd', { '/a': { hash: 'c'.repeat(32), size: 3 } })).result
    const cases: [parts: Record<string, string>, message: string][] = [
      [{ [HASH.a]: base64('abc') }, 'is not in the manifest'],
      [{ ['c'.repeat(32)]: base64('ab') }, 'has 2 bytes; its manifest says 3'],
      [{ ['c'.repeat(32)]: '*' }, 'is not in base64'],
    ]
    for (const [parts, message] of cases) {
      const answer = await send(platform, jwt, parts)
      expect([answer.status, answer.errors[0]?.message]).toEqual([400, expect.stringContaining(message)])
    }
    const upload = '$A/workers/assets/upload'
    const raw = await platform.api('POST', upload, bareForm({}), jwt)
    expect(raw.errors[0]?.message).toContain('base64=true')
    // Not its last character: some bits of that mean nothing.
    const forged = jwt.replace(/.(?=.{9}$)/, (digit: string) => (digit === 'x' ? 'y' : 'x'))
    for (const token of [platform.token, forged, 'x']) {
      const answer = await platform.api('POST', `${upload}?base64=true`, bareForm({}), token)
      expect([answer.status, answer.errors[0]?.code]).toEqual([401, 10000])
    }
  })

  test("an account has no use for another's tokens, and learns nothing of its files", async () => {
    const other = await platform.as('assets-other')
    const { jwt } = await uploadFiles(platform, 'secret', { '/index.html': 'secret' })
    const manifest = { '/index.html': { hash: hashOf('secret'), size: 6 } }
    expect((await open(platform, 'secret', manifest)).result.buckets).toEqual([])
    const session = await open(other, 'thief', manifest)
    expect(session.result.buckets).toEqual([[hashOf('secret')]])
    const stolen = await other.api('PUT', '$A/workers/scripts/thief', bareForm({ jwt }))
    expect(stolen.errors[0]?.error_code).toBe('ERR_ASSETS_TOKEN')
    const path = `/accounts/${platform.accountId}/workers/assets/upload?base64=true`
    const crossed = await other.api(
      'POST',
      path,
      fileForm({ [hashOf('secret')]: base64('poison') }),
      session.result.jwt,
    )
    expect(crossed.errors[0]?.error_code).toBe('ERR_ASSETS_TOKEN')
    // What it stores under the same hash is its own.
    const { result } = await send(other, session.result.jwt, { [hashOf('secret')]: base64('poison') })
    await other.api('PUT', '$A/workers/scripts/thief', bareForm(result))
    expect(await other.read('thief')).toBe('poison')
    await platform.upload('secret', WORKER, { assets: { jwt } })
    expect(await platform.read('secret')).toBe('secret')
  })

  test.each<[what: string, metadata: object, message: string]>([
    ['a binding without files', { bindings: [{ type: 'assets', name: 'A' }] }, 'has no static assets'],
    ['a configuration without files', { assets: { config: {} } }, 'needs the field "jwt"'],
    ['an unknown field', { assets: { jwt: 'x', x: 1 } }, 'unknown field "assets.x"'],
    ['an unknown way', { assets: { jwt: 'x', config: { html_handling: 'x' } } }, 'html_handling'],
  ])('an upload is refused with %s', async (_what, metadata, message) => {
    const answer = await platform.api('PUT', '$A/workers/scripts/refused', toUploadForm(WORKER, metadata))
    expect([answer.status, answer.errors[0]?.message]).toEqual([400, expect.stringContaining(message)])
  })
})

/** `wrangler dev` codes whatever it passes on. */
function coded({ kind }: Platform): Record<string, string> {
  return kind === 'start' ? { 'accept-encoding': 'br' } : {}
}

interface Session {
  readonly jwt: string
  readonly buckets: string[][]
}

function open(platform: Platform, script: string, manifest: unknown) {
  return platform.api<Session>('POST', `$A/workers/scripts/${script}/assets-upload-session`, { manifest })
}

function send(platform: Platform, jwt: string, parts: Record<string, string>, type = 'text/plain') {
  const form = fileForm(parts, type)
  return platform.api<{ jwt: string }>('POST', '$A/workers/assets/upload?base64=true', form, jwt)
}

function fileForm(parts: Record<string, string>, type = 'text/plain'): FormData {
  const form = new FormData()
  for (const [hash, text] of Object.entries(parts)) {
    form.append(hash, new Blob([text], { type: type || 'application/null' }), hash)
  }
  return form
}

/** Files by path, stored; the completion token. */
async function uploadFiles(platform: Platform, script: string, files: Record<string, string>) {
  const manifest = Object.fromEntries(
    Object.entries(files).map(([path, text]) => [path, { hash: hashOf(text), size: text.length }]),
  )
  const { result } = await open(platform, script, manifest)
  if (result.buckets.length === 0) return result
  const parts = Object.fromEntries(Object.values(files).map(text => [hashOf(text), base64(text)]))
  return (await send(platform, result.jwt, parts)).result
}

/** Nobody checks how clients make it. */
function hashOf(text: string): string {
  return Buffer.from(text.slice(0, 16).padEnd(16)).toString('hex')
}

/** A version without code. */
function bareForm(assets: object): FormData {
  const form = new FormData()
  form.set('metadata', JSON.stringify({ compatibility_date: '2026-11-01', assets }))
  return form
}

function manyFiles(count: number): object {
  return Object.fromEntries(
    Array.from({ length: count }, (_, i) => [`/${i}`, { hash: i.toString(16).padStart(32, '0'), size: 1 }]),
  )
}
