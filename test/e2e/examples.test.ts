import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openHosts } from './support/hosts.ts'

const ROOT = join(import.meta.dirname, '../..')
const hosts = await openHosts('examples')

describe.each(hosts)('the examples, deployed to `npm $kind`', platform => {
  /** Deploys a copy, so that wrangler leaves nothing in the repository. */
  async function deployExample(name: string): Promise<string> {
    const root = mkdtempSync(join(tmpdir(), 'skerry-example-'))
    onTestFinished(() => rmSync(root, { recursive: true, force: true }))
    symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'))
    const dir = join(root, name)
    cpSync(join(ROOT, 'examples', name), dir, { recursive: true })
    const { code, all } = await platform.wrangler(['deploy'], { cwd: dir })
    expect(code, all).toBe(0)
    return dir
  }

  test('hello says what to do next, as text and as a page that loads nothing', async () => {
    await deployExample('hello')
    const text = await platform.read('hello')
    expect(text).toContain('npx wrangler deploy')
    expect(text).toContain(`http://mine.${platform.domain}:${platform.port}/`)

    const page = await platform.call('hello', '/', { headers: { accept: 'text/html' } })
    const html = await page.text()
    expect(page.headers.get('content-type')).toMatch(/^text\/html/)
    expect(html).toContain(`href="http://mine.${platform.domain}:${platform.port}/"`)
    expect(html).not.toMatch(/\bsrc=|<link|@import|url\(/)
    expect((await platform.call('hello', '/nowhere')).status).toBe(404)
  })

  test('hello-hono keeps notes for who has the secret, and its cron counts them', async () => {
    const cwd = await deployExample('hello-hono')
    const put = (key: string) =>
      platform.call('hello-hono', '/notes/today', {
        method: 'PUT',
        headers: { authorization: `Bearer ${key}` },
        body: 'Buy fish.',
      })
    expect((await put('undefined')).status).toBe(401)

    const secret = await platform.wrangler(['secret', 'put', 'WRITE_KEY'], { cwd, stdin: 'open-sesame' })
    expect(secret.code, secret.all).toBe(0)
    expect((await put('open-says-me')).status).toBe(401)
    expect((await put('open-sesame')).status).toBe(201)
    expect(await platform.read('hello-hono', '/notes/today')).toBe('Buy fish.')
    expect((await platform.call('hello-hono', '/notes/tomorrow')).status).toBe(404)

    const run = await platform.skerry(['cron', 'run', 'hello-hono'])
    expect(run.code, run.all).toBe(0)
    expect(await platform.read('hello-hono')).toContain('Notes: 1.')
  })

  test('hello-itty routes', async () => {
    await deployExample('hello-itty')
    expect(await platform.read('hello-itty')).toBe('Hello from itty-router. Try /hello/<name>.\n')
    expect(await platform.read('hello-itty', '/hello/world')).toBe('{"hello":"world"}')
    expect((await platform.call('hello-itty', '/nowhere')).status).toBe(404)
  })
})
