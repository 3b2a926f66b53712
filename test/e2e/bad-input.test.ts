import { beforeAll, describe, expect, test } from 'vitest'
import { type Envelope, type ModuleSource, type Platform, toUploadForm } from './support/client.ts'
import { openHosts } from './support/hosts.ts'
import { answering } from './support/project.ts'

const hosts = await openHosts('bad-input')
const NAMESPACE = 'bad00000000000000000000000000000'
const OTHER_ACCOUNT = '0123456789abcdef0123456789abcdef'
const GOOD = answering('new')
const SCRIPT = '$A/workers/scripts/victim'
const VALUE = `$A/storage/kv/namespaces/${NAMESPACE}/values`

interface BadRequest {
  readonly title: string
  readonly method?: string
  readonly path?: string
  /** Made when the test runs: some are large. */
  readonly body?: () => unknown
  readonly headers?: Record<string, string>
  readonly status: number
  /** Our code, and a text in the message that names the problem. */
  readonly error: string
  readonly says: string
}

const upload = (metadata: object, modules: string | Record<string, ModuleSource> = GOOD) => ({
  method: 'PUT',
  path: SCRIPT,
  body: () => toUploadForm(modules, metadata),
})
const binding = (fields: object) => upload({ bindings: [{ name: 'B', ...fields }] })
const moduleNamed = (name: string) => upload({}, { 'index.js': GOOD, [name]: 'export default 1' })

const UPLOADS: BadRequest[] = [
  {
    title: 'a form that breaks off',
    method: 'PUT',
    path: SCRIPT,
    body: () => '--x\r\ncontent-disposition: form-data; name="metadata"\r\n\r\n{"main_mod',
    headers: { 'content-type': 'multipart/form-data; boundary=x' },
    status: 400,
    error: 'ERR_UPLOAD_FORM',
    says: 'multipart/form-data',
  },
  {
    title: 'a form without boundary',
    method: 'PUT',
    path: SCRIPT,
    body: () => 'hello',
    headers: { 'content-type': 'multipart/form-data' },
    status: 400,
    error: 'ERR_UPLOAD_FORM',
    says: 'multipart/form-data',
  },
  {
    title: 'an upload that is no form',
    method: 'PUT',
    path: SCRIPT,
    body: () => ({}),
    status: 400,
    error: 'ERR_UPLOAD_FORM',
    says: 'application/json',
  },
  {
    title: 'a form without metadata',
    method: 'PUT',
    path: SCRIPT,
    body: () => {
      const form = toUploadForm(GOOD)
      form.delete('metadata')
      return form
    },
    status: 400,
    error: 'ERR_UPLOAD_METADATA',
    says: 'metadata',
  },
  {
    title: 'metadata that is no JSON',
    method: 'PUT',
    path: SCRIPT,
    body: () => {
      const form = toUploadForm(GOOD)
      form.set('metadata', '{"main_module":')
      return form
    },
    status: 400,
    error: 'ERR_UPLOAD_METADATA',
    says: 'JSON',
  },
  {
    title: 'no main module',
    ...upload({ main_module: undefined }),
    status: 400,
    error: 'ERR_UPLOAD_METADATA',
    says: 'main_module',
  },
  {
    title: 'an unknown main module',
    ...upload({ main_module: 'nowhere.js' }),
    status: 400,
    error: 'ERR_UPLOAD_MODULE',
    says: 'nowhere.js',
  },
  {
    title: 'a syntax error',
    ...upload({}, 'export default {\n  fetch( { }\n}'),
    status: 400,
    error: 'ERR_SCRIPT_STARTUP',
    says: 'SyntaxError',
  },
  {
    title: 'an exception at the top level',
    ...upload({}, 'null.boom'),
    status: 400,
    error: 'ERR_SCRIPT_STARTUP',
    says: 'TypeError',
  },
  {
    title: 'no handler',
    ...upload({}, 'export default {}'),
    status: 400,
    error: 'ERR_SCRIPT_NO_HANDLER',
    says: 'handler',
  },
  {
    title: 'two modules of one name',
    method: 'PUT',
    path: SCRIPT,
    body: () => {
      const form = toUploadForm(GOOD)
      const type = 'application/javascript+module'
      form.append('index.js', new Blob([answering('twin')], { type }), 'index.js')
      return form
    },
    status: 400,
    error: 'ERR_UPLOAD_MODULE',
    says: 'same name',
  },
  ...[
    'cloudflare:workers',
    'node:fs',
    '../x',
    'a/../../x',
    '%2e%2e/x',
    '/etc/passwd',
    '__skerry__/main.js',
    './__SKERRY__/x',
  ].map(name => ({
    title: `a module named ${name}`,
    ...moduleNamed(name),
    status: 400,
    error: 'ERR_UPLOAD_MODULE',
    says: name,
  })),
  {
    title: 'a module of an unknown kind',
    ...upload({}, { 'index.js': GOOD, 'a.py': { type: 'text/x-python', body: 'pass' } }),
    status: 400,
    error: 'ERR_UPLOAD_MODULE',
    says: 'a.py',
  },
  {
    title: 'a module of 26 MiB',
    method: 'PUT',
    path: SCRIPT,
    body: () => toUploadForm({ 'index.js': GOOD, 'big.bin': blob(26 * 1024 * 1024) }),
    status: 413,
    error: 'ERR_UPLOAD_TOO_LARGE',
    says: 'big.bin',
  },
  {
    title: 'an upload of 70 MB in four modules',
    method: 'PUT',
    path: SCRIPT,
    body: () => {
      const parts = ['a', 'b', 'c', 'd'].map(name => [`${name}.bin`, blob(17_500_000)] as const)
      return toUploadForm({ 'index.js': GOOD, ...Object.fromEntries(parts) })
    },
    status: 413,
    error: 'ERR_UPLOAD_TOO_LARGE',
    says: '64.0 MiB',
  },
  {
    title: 'an unknown type of binding',
    ...binding({ type: 'teleporter' }),
    status: 400,
    error: 'ERR_BINDING_UNSUPPORTED',
    says: 'teleporter',
  },
  {
    title: 'an unsupported type of binding',
    ...binding({ type: 'hyperdrive', id: 'x' }),
    status: 400,
    error: 'ERR_BINDING_UNSUPPORTED',
    says: 'hyperdrive',
  },
  {
    title: 'two bindings of one name',
    ...upload({ bindings: [1, 2].map(n => ({ type: 'plain_text', name: 'B', text: `${n}` })) }),
    status: 400,
    error: 'ERR_BINDING_INVALID',
    says: '"B"',
  },
  {
    title: 'a binding with a bad name',
    ...upload({ bindings: [{ type: 'plain_text', name: 'a b', text: '' }] }),
    status: 400,
    error: 'ERR_BINDING_INVALID',
    says: 'a b',
  },
  {
    title: 'a variable over 5 KB',
    ...binding({ type: 'plain_text', text: 'x'.repeat(5 * 1024 + 1) }),
    status: 400,
    error: 'ERR_BINDING_INVALID',
    says: '5121',
  },
  {
    title: 'a binding to a script that does not exist',
    ...binding({ type: 'service', service: 'nobody' }),
    status: 400,
    error: 'ERR_SERVICE_TARGET',
    says: 'nobody',
  },
  {
    title: 'an entrypoint that does not exist',
    ...binding({ type: 'service', service: 'victim', entrypoint: 'Nope' }),
    status: 400,
    error: 'ERR_SERVICE_ENTRYPOINT',
    says: 'Nope',
  },
  {
    title: 'a binding to inherit that never was',
    ...binding({ type: 'inherit' }),
    status: 400,
    error: 'ERR_BINDING_INHERIT',
    says: "inherit binding 'B' is invalid",
  },
  {
    title: 'an unsupported field',
    ...upload({ containers: [{ class_name: 'Box' }] }),
    status: 400,
    error: 'ERR_UPLOAD_METADATA',
    says: 'containers',
  },
  {
    title: 'an unknown field',
    ...upload({ warp_factor: 9 }),
    status: 400,
    error: 'ERR_UPLOAD_METADATA',
    says: 'warp_factor',
  },
  {
    title: 'a bad compatibility date',
    ...upload({ compatibility_date: '2026-02-30' }),
    status: 400,
    error: 'ERR_UPLOAD_METADATA',
    says: '2026-02-30',
  },
  {
    title: 'a compatibility date to come',
    ...upload({ compatibility_date: '2999-01-01' }),
    status: 400,
    error: 'ERR_UPLOAD_METADATA',
    says: '2999-01-01',
  },
  {
    title: 'an unknown compatibility flag',
    ...upload({ compatibility_flags: ['levitate'] }),
    status: 400,
    error: 'ERR_SCRIPT_STARTUP',
    says: 'levitate',
  },
  {
    title: 'an experimental compatibility flag',
    ...upload({ compatibility_flags: ['experimental'] }),
    status: 400,
    error: 'ERR_SCRIPT_STARTUP',
    says: 'experimental',
  },
  ...['Upper', 'with space', 'dot.ted', '-dash', 'x'.repeat(64), '🦀'].map(name => ({
    title: `a script named ${name.slice(0, 12)}`,
    method: 'PUT',
    path: `$A/workers/scripts/${encodeURIComponent(name)}`,
    body: () => toUploadForm(GOOD),
    status: 400,
    error: 'ERR_SCRIPT_NAME',
    says: name,
  })),
]

const NO_SCRIPT = { status: 404, error: 'ERR_SCRIPT_NOT_FOUND', says: 'This Worker does not exist' }
const json = (method: string, path: string, body: unknown) => ({ method, path, body: () => body })
const REST: BadRequest[] = [
  {
    title: 'a secret of an unknown script',
    ...json('PUT', '$A/workers/scripts/nobody/secrets', { name: 'A', text: 'a', type: 'secret_text' }),
    ...NO_SCRIPT,
  },
  {
    title: 'a deployment of an unknown script',
    ...json('POST', '$A/workers/scripts/nobody/deployments', { versions: [] }),
    status: 400,
    error: 'ERR_DEPLOYMENT_INVALID',
    says: 'version',
  },
  {
    title: 'a version of an unknown script',
    method: 'POST',
    path: '$A/workers/scripts/nobody/versions',
    body: () => toUploadForm(GOOD),
    ...NO_SCRIPT,
  },
  {
    title: 'crons of an unknown script',
    ...json('PUT', '$A/workers/scripts/nobody/schedules', []),
    ...NO_SCRIPT,
  },
  { title: 'deleting an unknown script', method: 'DELETE', path: '$A/workers/scripts/nobody', ...NO_SCRIPT },
  {
    title: 'a bad cron',
    ...json('PUT', `${SCRIPT}/schedules`, [{ cron: '0 0 * * *' }, { cron: '61 * * * *' }]),
    status: 400,
    error: 'ERR_CRON_INVALID',
    says: '61 * * * *',
  },
  {
    title: 'a bad route',
    ...json('PUT', `${SCRIPT}/routes`, [{ pattern: 'a.*.com/x' }]),
    status: 400,
    error: 'ERR_ROUTE_PATTERN',
    says: 'a.*.com/x',
  },
  {
    title: "a route on the platform's own host",
    ...json('PUT', `${SCRIPT}/routes`, [{ pattern: 'localhost/*' }]),
    status: 409,
    error: 'ERR_HOST_TAKEN',
    says: 'localhost',
  },
  {
    title: 'percentages that are not 100 together',
    ...json('POST', `${SCRIPT}/deployments`, {
      versions: [{ version_id: '00000000-0000-4000-8000-000000000000', percentage: 99 }],
    }),
    status: 400,
    error: 'ERR_DEPLOYMENT_INVALID',
    says: '99',
  },
  {
    title: 'an unknown version',
    ...json('POST', `${SCRIPT}/deployments`, {
      versions: [{ version_id: '00000000-0000-4000-8000-000000000000', percentage: 100 }],
    }),
    status: 404,
    error: 'ERR_VERSION_NOT_FOUND',
    says: '00000000-0000-4000-8000-000000000000',
  },
  {
    title: 'a body that is no JSON',
    method: 'POST',
    path: `${SCRIPT}/deployments`,
    body: () => '{"versions":',
    status: 400,
    error: 'ERR_API_BODY',
    says: 'JSON',
  },
  {
    title: 'a setting that is none',
    ...json('PATCH', `${SCRIPT}/script-settings`, { color: 'red' }),
    status: 400,
    error: 'ERR_API_BODY',
    says: 'color',
  },
  {
    title: 'a KV value over 25 MiB',
    method: 'PUT',
    path: `${VALUE}/big`,
    body: () => new Uint8Array(25 * 1024 * 1024 + 1),
    status: 413,
    error: 'ERR_KV_VALUE_TOO_LARGE',
    says: '26214401',
  },
  {
    title: 'a KV key over the limit',
    method: 'PUT',
    path: `${VALUE}/${'k'.repeat(505)}`,
    body: () => 'v',
    status: 414,
    error: 'ERR_KV_KEY_TOO_LONG',
    says: '504',
  },
  {
    title: 'a KV expiry too soon',
    method: 'PUT',
    path: `${VALUE}/k?expiration_ttl=59`,
    body: () => 'v',
    status: 400,
    error: 'ERR_KV_EXPIRATION_TTL',
    says: '59',
  },
  {
    title: 'a value in an unknown namespace',
    method: 'PUT',
    path: '$A/storage/kv/namespaces/nowhere/values/k',
    body: () => 'v',
    status: 404,
    error: 'ERR_KV_NAMESPACE_NOT_FOUND',
    says: 'namespace not found',
  },
  {
    title: 'a namespace whose title is taken',
    ...json('POST', '$A/storage/kv/namespaces', { title: 'bad-input' }),
    status: 400,
    error: 'ERR_KV_TITLE_TAKEN',
    says: 'already exists',
  },
  {
    title: 'a namespace without title',
    ...json('POST', '$A/storage/kv/namespaces', {}),
    status: 400,
    error: 'ERR_KV_TITLE',
    says: 'title',
  },
  {
    title: 'a path that is none',
    method: 'GET',
    path: '$A/workers/teleport',
    status: 404,
    error: 'ERR_API_NOT_FOUND',
    says: 'workers/teleport',
  },
  {
    title: 'a method that is none',
    method: 'POST',
    path: '$A/workers/scripts',
    status: 404,
    error: 'ERR_API_NOT_FOUND',
    says: 'POST',
  },
  {
    title: 'an account that does not exist',
    method: 'PUT',
    path: `/accounts/${OTHER_ACCOUNT}/workers/scripts/victim`,
    body: () => toUploadForm(GOOD),
    status: 403,
    error: 'ERR_FORBIDDEN',
    says: OTHER_ACCOUNT,
  },
]

describe.each(hosts)('bad input to `npm $kind`', platform => {
  let before: Envelope[]

  beforeAll(async () => {
    const present = await platform.api<{ id: string }[]>('GET', '$A/storage/kv/namespaces')
    const bindings = [{ type: 'kv_namespace', name: 'KV', namespace_id: NAMESPACE }]
    await platform.upload('victim', answering('old'), { bindings })
    if (present.result.length === 0)
      await platform.api('POST', '$A/storage/kv/namespaces', { title: 'bad-input' })
    await platform.api('PUT', `${SCRIPT}/schedules`, [{ cron: '0 0 1 1 *' }])
    before = await stateOf(platform)
  })

  const refuse = async (
    { method = 'GET', path = '', body, headers, status, error, says }: BadRequest,
    token?: string,
  ) => {
    const answer = await platform.api(method, path, body?.(), token, headers)
    expect(answer).toMatchObject({ status, success: false, result: null, errors: [{ error_code: error }] })
    expect(answer.errors[0]?.code).toBeTypeOf('number')
    expect(answer.errors[0]?.message).toContain(says)
    expect(await stateOf(platform), 'nothing has changed').toEqual(before)
    expect(await platform.read('victim')).toBe('old')
  }

  describe('an upload', () => {
    test.each(UPLOADS)('with $title is refused, and changes nothing', request => refuse(request))

    test('as a version is refused alike', async () => {
      await refuse({
        title: 'a version',
        method: 'POST',
        path: `${SCRIPT}/versions`,
        body: () => toUploadForm(GOOD, { main_module: 'nowhere.js' }),
        status: 400,
        error: 'ERR_UPLOAD_MODULE',
        says: 'nowhere.js',
      })
    })
  })

  test.each(REST)('$title is refused, and changes nothing', request => refuse(request))

  const put = { title: '', method: 'PUT', path: SCRIPT, body: () => toUploadForm(GOOD) }

  test('a token that nobody has is refused', async () => {
    await refuse({ ...put, status: 401, error: 'ERR_UNAUTHENTICATED', says: 'token' }, 'nonsense')
  })

  test('a revoked token is refused', async () => {
    const wanted = { name: 'short-lived', role: 'deployer', account_id: platform.accountId }
    const made = await platform.v1<{ id: string; token: string }>('POST', '/tokens', wanted)
    const { id, token } = made.body
    expect((await platform.api('GET', `${SCRIPT}/settings`, undefined, token)).status).toBe(200)
    expect((await platform.v1('DELETE', `/tokens/${id}`)).status).toBe(204)
    await refuse({ ...put, status: 401, error: 'ERR_UNAUTHENTICATED', says: 'token' }, token)
  })

  test("a viewer's token reads, and is refused every change", async () => {
    const token = await platform.createToken('viewer')
    expect((await platform.api('GET', '$A/workers/scripts', undefined, token)).status).toBe(200)
    const changes: [string, string, unknown][] = [
      ['PUT', SCRIPT, toUploadForm(GOOD)],
      ['POST', `${SCRIPT}/versions`, toUploadForm(GOOD)],
      ['POST', `${SCRIPT}/deployments`, { versions: [] }],
      ['DELETE', SCRIPT, undefined],
      ['DELETE', '$A/workers/services/victim', undefined],
      ['PUT', `${SCRIPT}/secrets`, { name: 'A', text: 'a', type: 'secret_text' }],
      ['DELETE', `${SCRIPT}/secrets/A`, undefined],
      ['PATCH', `${SCRIPT}/secrets-bulk`, { secrets: {} }],
      ['PATCH', '$A/workers/workers/victim/versions/latest', { env: {} }],
      ['PATCH', `${SCRIPT}/script-settings`, {}],
      ['PATCH', `${SCRIPT}/settings`, new FormData()],
      ['POST', `${SCRIPT}/subdomain`, { enabled: false }],
      ['PUT', `${SCRIPT}/schedules`, []],
      ['PUT', `${SCRIPT}/routes`, []],
      ['PUT', `${SCRIPT}/domains/records`, { origins: [] }],
      ['PUT', '$A/workers/domains', { hostname: 'a.example', service: 'victim' }],
      ['POST', '$A/storage/kv/namespaces', { title: 'mine' }],
      ['PUT', `$A/storage/kv/namespaces/${NAMESPACE}`, { title: 'mine' }],
      ['DELETE', `$A/storage/kv/namespaces/${NAMESPACE}`, undefined],
      ['PUT', `${VALUE}/k`, 'v'],
      ['DELETE', `${VALUE}/k`, undefined],
      ['PUT', `$A/storage/kv/namespaces/${NAMESPACE}/bulk`, []],
      ['DELETE', `$A/storage/kv/namespaces/${NAMESPACE}/bulk`, []],
    ]
    for (const [method, path, body] of changes) {
      const answer = await platform.api(method, path, body, token)
      expect([method, path, answer.status, answer.errors[0]?.error_code]).toEqual([
        method,
        path,
        403,
        'ERR_FORBIDDEN',
      ])
    }
    const cron = await platform.v1('POST', `/accounts/${platform.accountId}/scripts/victim/cron`, {}, token)
    expect(cron).toMatchObject({ status: 403, body: { code: 'ERR_FORBIDDEN' } })
    expect(await stateOf(platform)).toEqual(before)
  })

  test('an upload that is refused does not create the script', async () => {
    const answer = await platform.api('PUT', '$A/workers/scripts/unborn', toUploadForm('export default {'))
    expect(answer.status).toBe(400)
    expect(await stateOf(platform)).toEqual(before)
    expect((await platform.call('unborn')).status).toBe(404)
  })
})

function blob(bytes: number): ModuleSource {
  return { type: 'application/octet-stream', body: new Uint8Array(bytes) }
}

/** Everything of the account that the API shows and a bad request must not change. */
function stateOf(platform: Platform): Promise<Envelope[]> {
  const nouns = [
    'versions',
    'deployments',
    'settings',
    'script-settings',
    'secrets',
    'schedules',
    'subdomain',
  ]
  const paths = [
    '$A/workers/scripts',
    '$A/workers/domains',
    '$A/storage/kv/namespaces',
    `$A/storage/kv/namespaces/${NAMESPACE}/keys`,
    ...nouns.map(noun => `${SCRIPT}/${noun}`),
  ]
  return Promise.all(paths.map(path => platform.api('GET', path)))
}
