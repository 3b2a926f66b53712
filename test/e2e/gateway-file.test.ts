import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Platform } from './support/client.ts'
import { findInFiles } from './support/files.ts'
import { uploadMirror } from './support/gateway.ts'
import { openHosts } from './support/hosts.ts'

const hosts = await openHosts('gateway-file')

const FILE = (host: string, body: string) => `# What everybody may read.
[[routes]]
name = "hello"
match = "${host}/hello"
respond = { body = "${body}" }

[[routes]]
name = "mirror"
match = "${host}/mirror/*"
script = "mirror"
use = ["small"]

[policies.small]
type = "body-limit"
max_bytes = 100
`

interface Issue {
  readonly line: number
  readonly column: number
  readonly path: string
  readonly message: string
}

interface Answer {
  readonly revision: number
  readonly applied: boolean
  readonly changes: readonly { what: string; name: string; change: string; fields: readonly object[] }[]
  readonly warnings: readonly Issue[]
  readonly issues: readonly Issue[]
  readonly code: string
}

const TOML = { 'content-type': 'application/toml', 'if-match': '*' }

function put(platform: Platform, text: string, headers: object = {}, query = '', token?: string) {
  return platform.v1<Answer>('PUT', `$A/gateway${query}`, text, token, { ...TOML, ...headers })
}

async function revisionOf(platform: Platform): Promise<number> {
  return (await platform.v1<Answer>('GET', '$A/gateway')).body.revision
}

/** A directory with a gateway file in it, where commands are run. */
function createDir(files: Readonly<Record<string, string>>): string {
  const dir = mkdtempSync(join(tmpdir(), 'skerry-e2e-gateway-'))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text)
  return dir
}

describe.each(hosts)('the gateway file of `npm $kind`', platform => {
  const host = `file.${platform.domain}`
  const read = async (path = '/hello', name = host) => {
    const response = await platform.fetch(name, path)
    const text = await response.text()
    return response.status === 200 ? text : `${response.status} ${JSON.parse(text).code}`
  }

  beforeAll(async () => {
    await uploadMirror(platform, 'mirror')
    expect((await put(platform, FILE(host, 'first'))).status).toBe(200)
  })

  test('is in force on every edge once it is applied', async () => {
    const { body } = await put(platform, FILE(host, 'first again'))
    expect(body).toMatchObject({ applied: true, warnings: [] })
    const texts = await Promise.all(Array.from({ length: 20 }, () => read()))
    expect(new Set(texts)).toEqual(new Set(['first again']))
  })

  test('with an error changes nothing, and is told where it goes wrong', async () => {
    await put(platform, FILE(host, 'kept'))
    const before = await revisionOf(platform)
    const wrong = FILE(host, 'wrong')
      .replace('use = ["small"]', 'use = ["smal"]')
      .replace('max_bytes = 100', 'max_bytes = -1\nmax_byts = 5')
    const { status, body } = await put(platform, wrong)
    expect([status, body.code]).toEqual([400, 'ERR_GATEWAY_FILE'])
    expect(body.issues).toEqual([
      {
        line: 11,
        column: 8,
        path: 'routes[1].use[0]',
        message: 'There is no policy "smal"; did you mean "small"?',
      },
      { line: 15, column: 13, path: 'policies.small.max_bytes', message: 'It must be at least 0, not -1.' },
      {
        line: 16,
        column: 1,
        path: 'policies.small.max_byts',
        message: '"max_byts" is not known here; did you mean "max_bytes"?',
      },
    ])
    const broken = await put(platform, 'routes = [\n  { match = "/", \n')
    expect(broken.body.issues).toMatchObject([
      { line: 3, message: expect.stringMatching(/^This is not TOML/) },
    ])
    expect([await revisionOf(platform), await read()]).toEqual([before, 'kept'])
  })

  test('applied by two at once is that of one, and the other is told', async () => {
    const before = await revisionOf(platform)
    const ifMatch = { 'if-match': `"${before}"` }
    const rivals = ['left', 'right', 'third', 'fourth']
    const answers = await Promise.all(rivals.map(name => put(platform, FILE(host, name), ifMatch)))
    const winners = answers.filter(({ status }) => status === 200)
    const losers = answers.filter(({ status }) => status !== 200)
    expect(winners).toHaveLength(1)
    expect(winners[0]?.body.revision).toBe(before + 1)
    expect(losers.map(({ status, body }) => [status, body.code, body.revision])).toEqual(
      Array(3).fill([412, 'ERR_GATEWAY_CONFLICT', before + 1]),
    )
    expect(await read()).toBe(rivals[answers.findIndex(({ status }) => status === 200)])
  })

  test('needs a word on what it was made from', async () => {
    const missing = await platform.v1<Answer>('PUT', '$A/gateway', FILE(host, 'x'), undefined, {
      'content-type': 'application/toml',
    })
    expect([missing.status, missing.body.code]).toEqual([428, 'ERR_GATEWAY_PRECONDITION'])
    const first = await platform.v1<Answer>('PUT', '$A/gateway', FILE(host, 'x'), undefined, {
      'content-type': 'application/toml',
      'if-none-match': '*',
    })
    expect([first.status, first.body.code]).toEqual([412, 'ERR_GATEWAY_CONFLICT'])
  })

  test('applied unchanged makes no revision', async () => {
    const { body: first } = await put(platform, FILE(host, 'same'))
    const { body: second } = await put(platform, FILE(host, 'same'))
    expect(second).toMatchObject({ revision: first.revision, applied: false, changes: [] })
  })

  test('checked in a dry run tells what would change, field by field, and changes nothing', async () => {
    await put(platform, FILE(host, 'dry'))
    const before = await revisionOf(platform)
    const other = FILE(host, 'dry')
      .replace('max_bytes = 100', 'max_bytes = 200')
      .replace('name = "hello"', 'name = "hi"')
    const viewer = await platform.createToken('viewer')
    const { status, body } = await put(platform, other, {}, '?dry_run=1', viewer)
    expect([status, body.applied, body.revision]).toEqual([200, false, before])
    expect(body.changes).toMatchObject([
      { what: 'route', name: 'hi', change: 'added' },
      { what: 'route', name: 'hello', change: 'removed' },
      {
        what: 'policy',
        name: 'small',
        change: 'changed',
        fields: [{ path: 'max_bytes', before: '100', after: '200' }],
      },
    ])
    expect(await revisionOf(platform)).toBe(before)
    const refused = await Promise.all([
      put(platform, other, {}, '', viewer),
      platform.v1<Answer>('POST', '$A/gateway/rollback', { revision: before }, viewer),
      platform.v1<Answer>('PUT', '$A/gateway/secrets/S', { text: 'x' }, viewer),
      platform.v1<Answer>('DELETE', '$A/gateway/secrets/S', undefined, viewer),
    ])
    expect(refused.map(({ status, body }) => [status, body.code])).toEqual(
      Array(4).fill([403, 'ERR_FORBIDDEN']),
    )
    expect((await platform.v1('GET', '$A/gateway/history', undefined, viewer)).status).toBe(200)
  })

  test('names functions that are not deployed yet: a warning', async () => {
    const { status, body } = await put(
      platform,
      FILE(host, 'x').replace('script = "mirror"', 'script = "later"'),
    )
    expect(status).toBe(200)
    expect(body.warnings).toEqual([
      {
        line: 10,
        column: 10,
        path: 'routes[1].script',
        message: 'There is no function "later" yet: deploy it with wrangler.',
      },
    ])
    expect(await read('/mirror/x')).toBe('404 ERR_ROUTE_NOT_FOUND')
  })

  test('has a history, and an earlier revision can be put in force again', async () => {
    const { body: old } = await put(platform, FILE(host, 'old'), {}, '?message=the%20old%20one')
    await put(platform, FILE(host, 'new'))
    expect(await read()).toBe('new')
    const { status, body } = await platform.v1<Answer>('POST', '$A/gateway/rollback', {
      revision: old.revision,
    })
    expect([status, body.revision, await read()]).toEqual([200, old.revision + 2, 'old'])
    const { body: history } = await platform.v1<{ revision: number; message: string }[]>(
      'GET',
      '$A/gateway/history',
    )
    expect(history.slice(0, 3).map(({ revision, message }) => [revision, message])).toEqual([
      [old.revision + 2, `Rollback to revision ${old.revision}`],
      [old.revision + 1, ''],
      [old.revision, 'the old one'],
    ])
    const missing = await platform.v1<Answer>('POST', '$A/gateway/rollback', { revision: 99_999 })
    expect([missing.status, missing.body.code]).toEqual([404, 'ERR_GATEWAY_REVISION_NOT_FOUND'])
  })

  test('keeps the latest 100 revisions', async () => {
    const before = await revisionOf(platform)
    for (let i = 0; i < 101; i++) await put(platform, FILE(host, `number ${i}`))
    const { body } = await platform.v1<{ revision: number }[]>('GET', '$A/gateway/history')
    expect(body.map(({ revision }) => revision)).toEqual(
      Array.from({ length: 100 }, (_, i) => before + 101 - i),
    )
    expect((await platform.v1('GET', `$A/gateway/history/${before + 1}`)).status).toBe(404)
    expect((await platform.v1('GET', `$A/gateway/history/${before + 2}`)).status).toBe(200)
  })

  test('is given back as it was written, and as JSON or TOML', async () => {
    const text = FILE(host, 'written')
    await put(platform, text)
    const url = `/api/v1/accounts/${platform.accountId}/gateway`
    const get = (path: string, accept = '*/*') =>
      platform.fetch(`127.0.0.1:${platform.port}`, path, {
        headers: { authorization: `Bearer ${platform.token}`, accept },
      })
    const source = await get(`${url}?source`)
    expect([await source.text(), source.headers.get('content-type')]).toEqual([text, 'application/toml'])
    const json = await get(url)
    expect(json.headers.get('etag')).toBe(`"${await revisionOf(platform)}"`)
    expect(await json.json()).toMatchObject({ document: { routes: [{ name: 'hello' }, { name: 'mirror' }] } })
    await platform.v1(
      'PUT',
      '$A/gateway',
      { routes: [{ match: `${host}/hello`, respond: { body: 'json' } }] },
      undefined,
      {
        'if-match': '*',
      },
    )
    expect(await (await get(url, 'application/toml')).text()).toContain('[[routes]]')
    expect(await read()).toBe('json')
  })

  test('refers to secrets: they reach policies, and are shown to nobody', async () => {
    const secret = `secret-${crypto.randomUUID()}-of-the-gateway`
    const file = `
[[routes]]
match = "${host}/hello"
respond = { body = "in" }
use = ["users"]
[policies.users]
type = "basic"
users = { ann = "secret:ANN" }
`
    const login = (password: string) => ({ headers: { authorization: `Basic ${btoa(`ann:${password}`)}` } })
    const missing = await put(platform, file)
    expect(missing.body.issues).toMatchObject([{ line: 8, column: 17, path: 'policies.users.users.ann' }])

    expect((await platform.v1('PUT', '$A/gateway/secrets/ANN', { text: secret })).status).toBe(200)
    expect((await put(platform, file)).status).toBe(200)
    expect((await platform.fetch(host, '/hello', login(secret))).status).toBe(200)
    expect((await platform.fetch(host, '/hello', login('other'))).status).toBe(401)

    const answers = await Promise.all(
      ['', '/history', '/secrets', `/history/${await revisionOf(platform)}`].map(path =>
        platform.v1('GET', `$A/gateway${path}`),
      ),
    )
    expect(answers.every(({ status }) => status === 200)).toBe(true)
    expect(JSON.stringify(answers)).not.toContain(secret)
    expect(answers[2]?.body).toMatchObject([{ name: 'ANN' }])
    if (platform.kind === 'start') expect(findInFiles(platform.dataDir, secret)).toEqual([])

    const used = await platform.v1<Answer>('DELETE', '$A/gateway/secrets/ANN')
    expect([used.status, used.body.code]).toEqual([409, 'ERR_GATEWAY_SECRET_USED'])
    const next = `${secret}-changed`
    await platform.v1('PUT', '$A/gateway/secrets/ANN', { text: next })
    expect((await platform.fetch(host, '/hello', login(next))).status).toBe(200)
    expect((await platform.fetch(host, '/hello', login(secret))).status).toBe(401)
    await put(platform, FILE(host, 'x'))
    expect((await platform.v1('DELETE', '$A/gateway/secrets/ANN')).status).toBe(204)
    const gone = await platform.v1<Answer>('DELETE', '$A/gateway/secrets/ANN')
    expect([gone.status, gone.body.code]).toEqual([404, 'ERR_GATEWAY_SECRET_NOT_FOUND'])
  })

  test("can't take the hosts of another account, nor the platform's", async () => {
    const right = await platform.as('gateway-file-right')
    const file = (name: string) => `[[routes]]\nmatch = "${name}/*"\nrespond = { body = "taken" }\n`
    expect((await put(right, file('owned.example'))).status).toBe(200)
    const before = await revisionOf(platform)
    for (const name of [
      'owned.example',
      'OWNED.example',
      `shop.${right.domain}`,
      'localhost.localhost',
      '*.localhost',
    ]) {
      const { status, body } = await put(platform, file(name))
      expect([name, status >= 400, body.issues?.[0]?.line, body.issues?.[0]?.column]).toEqual([
        name,
        true,
        2,
        9,
      ])
    }
    const wildcard = await put(platform, file('*.owned.example'))
    expect(wildcard.status).toBe(200)
    expect((await put(right, file('deep.owned.example'))).status).toBe(409)
    await put(platform, FILE(host, 'x'))
    expect((await put(right, file('deep.owned.example'))).status, 'once given up, it may be taken').toBe(200)
    expect(await revisionOf(platform)).toBe(before + 2)
    await put(right, '')
  })

  test.each([1_000_001, 5_000_000])('of %i bytes is too large', async size => {
    const { status, body } = await put(platform, `# ${'x'.repeat(size - 2)}`)
    expect([status, body.code]).toEqual([413, 'ERR_GATEWAY_FILE_TOO_LARGE'])
  })

  test('of 1,000,000 bytes is taken', async () => {
    const file = FILE(host, 'large')
    expect((await put(platform, `${file}#${'x'.repeat(999_999 - file.length)}`)).status).toBe(200)
  })

  test('has a JSON Schema, for anybody', async () => {
    const response = await platform.fetch(`127.0.0.1:${platform.port}`, '/api/v1/gateway/schema.json')
    expect(response.headers.get('content-type')).toBe('application/schema+json')
    expect(await response.json()).toMatchObject({ properties: { routes: { type: 'array' } } })
  })
})

describe.each(hosts)('skerry gateway on `npm $kind`', platform => {
  const host = `cli.${platform.domain}`

  test('check points at what is wrong; apply, diff, history, pull and rollback agree with each other', async () => {
    const wrong = FILE(host, 'one').replace('use = ["small"]', 'use = ["smal"]')
    const cwd = createDir({ 'gateway.toml': wrong })
    const run = (args: string[], stdin?: string) =>
      platform.skerry(['gateway', ...args], { cwd, ...(stdin !== undefined && { stdin }) })
    const refused = await run(['check'])
    expect([refused.code, refused.stdout]).toEqual([
      1,
      'gateway.toml:11:8 routes[1].use[0]: There is no policy "smal"; did you mean "small"?\n' +
        '  use = ["smal"]\n' +
        '         ^\n' +
        '1 problem; nothing was changed.\n',
    ])
    expect((await run(['apply'])).code).toBe(1)

    writeFileSync(join(cwd, 'gateway.toml'), FILE(host, 'one'))
    expect(await run(['check'])).toMatchObject({ code: 0, stdout: 'gateway.toml is right.\n' })
    const applied = await run(['apply', '--message', 'the first'])
    expect(applied, applied.all).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/Applied as revision \d+\.$/m),
    })
    expect(await (await platform.fetch(host, '/hello')).text()).toBe('one')
    const [, first = ''] = /revision (\d+)/.exec(applied.stdout) ?? []

    writeFileSync(join(cwd, 'gateway.toml'), FILE(host, 'two'))
    const diff = await run(['diff'])
    expect(diff.stdout).toContain('~ route hello\n    respond.body  "one" → "two"\n1 changed.\n')
    const stale = await run(['apply', '--revision', '0'])
    expect([stale.code, stale.stderr]).toEqual([1, expect.stringContaining('ERR_GATEWAY_CONFLICT')])
    expect((await run(['apply', '--revision', first])).code).toBe(0)

    const different = await run(['pull', '--revision', first])
    expect([different.code, different.stderr]).toEqual([1, expect.stringContaining('--force')])
    expect((await run(['pull', 'first.toml', '--revision', first])).code).toBe(0)
    expect(readFileSync(join(cwd, 'first.toml'), 'utf8')).toBe(FILE(host, 'one'))
    expect((await run(['rollback', first])).stdout).toContain(`Revision ${first} is in force again`)
    expect(await (await platform.fetch(host, '/hello')).text()).toBe('one')
    const history = JSON.parse((await run(['history', '--json'])).stdout)
    expect(history[0].message).toBe(`Rollback to revision ${first}`)
    expect(history[2]).toMatchObject({ revision: Number(first), message: 'the first' })
  })

  test('secret put, list and delete keep the text to themselves', async () => {
    const run = (args: string[], stdin = '') => platform.skerry(['gateway', 'secret', ...args], { stdin })
    expect(await run(['put', 'CLI_SECRET'], 'the text\n')).toMatchObject({ code: 0 })
    const listed = await run(['list', '--json'])
    expect(JSON.parse(listed.stdout)).toMatchObject([{ name: 'CLI_SECRET' }])
    expect(listed.stdout).not.toContain('the text')
    expect(await run(['put', '1BAD'], 'x')).toMatchObject({ code: 1 })
    expect(await run(['put', 'EMPTY'], '')).toMatchObject({ code: 2 })
    expect(await run(['delete', 'CLI_SECRET'])).toMatchObject({ code: 0 })
  })

  test('apply sends the files that a gateway file names, and none from elsewhere', async () => {
    const file = (name: string) =>
      `[[routes]]\nmatch = "${host}/page"\n[routes.respond]\nbody = "file:${name}"\n`
    const cwd = createDir({ 'gateway.toml': file('page.html'), 'page.html': '<p>From a file</p>' })
    const applied = await platform.skerry(['gateway', 'apply'], { cwd })
    expect(applied.code, applied.all).toBe(0)
    expect(await (await platform.fetch(host, '/page')).text()).toBe('<p>From a file</p>')
    for (const name of ['../gateway.toml', '/etc/hostname', 'sub/../../x']) {
      writeFileSync(join(cwd, 'gateway.toml'), file(name))
      const refused = await platform.skerry(['gateway', 'apply'], { cwd })
      expect([name, refused.code, refused.stderr]).toEqual([
        name,
        1,
        expect.stringContaining('outside of its directory'),
      ])
    }
    const bare = await put(platform, file('page.html'))
    expect(bare.body.issues).toMatchObject([{ line: 4, column: 8, path: 'routes[0].respond.body' }])
  })

  test('explain says which route and policies a request would meet', async () => {
    await put(platform, FILE(host, 'explained'))
    const { code, stdout, all } = await platform.skerry([
      'explain',
      'POST',
      `http://${host}/mirror/a`,
      '-H',
      'content-length: 101',
    ])
    expect(code, all).toBe(0)
    expect(stdout).toMatch(/→ {2}mirror/)
    expect(stdout).toContain('small (body-limit): answered')
    expect(stdout).toContain('413')
    const passed = JSON.parse(
      (await platform.skerry(['explain', 'GET', `${host}/mirror/a`, '--json'])).stdout,
    )
    expect(passed).toMatchObject({
      route: 'mirror',
      target: 'script mirror',
      policies: [{ verdict: 'passed' }],
    })
    const wrong = await platform.skerry(['explain', 'GET', `${host}/`, '-H', 'no colon'])
    expect(wrong.code).toBe(2)
  })
})
