import { beforeAll, describe, expect, test } from 'vitest'
import { type Platform, toUploadForm } from './support/client.ts'
import { openFirstHost } from './support/hosts.ts'
import { answering, createWorker } from './support/project.ts'

const hosts = await openFirstHost('left')
/** Both accounts use this namespace id: ids of adopted namespaces are the projects' own. */
const NAMESPACE = 'acc00000000000000000000000000000'

const SHOP = `export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url)
    if (pathname === '/put') await env.STORE.put('k', await request.text())
    if (pathname === '/keys') return Response.json((await env.STORE.list()).keys.map(key => key.name))
    return Response.json({
      account: env.ACCOUNT,
      secret: env.SECRET,
      stored: await env.STORE.get('k'),
      backend: await (await env.BACKEND.fetch('http://backend/')).text(),
      rpc: await env.BACKEND.whose(),
    })
  },
}`
const backendOf = (account: string) => `
  import { WorkerEntrypoint } from 'cloudflare:workers'
  export default class extends WorkerEntrypoint {
    fetch() { return new Response('backend of ${account}') }
    whose() { return '${account}' }
  }`

async function deployShop(platform: Platform, account: string): Promise<void> {
  await platform.upload('backend', backendOf(account))
  const bindings = [
    { type: 'plain_text', name: 'ACCOUNT', text: account },
    { type: 'secret_text', name: 'SECRET', text: `secret of ${account}` },
    { type: 'kv_namespace', name: 'STORE', namespace_id: NAMESPACE },
    { type: 'service', name: 'BACKEND', service: 'backend' },
  ]
  await platform.upload('shop', SHOP, { bindings })
  await platform.call('shop', '/put', { method: 'PUT', body: `value of ${account}` })
}

describe.each(hosts)('two accounts of `npm $kind`', left => {
  let right: Platform
  let first: Platform
  let leftToken: string

  beforeAll(async () => {
    right = await left.as('right')
    first = await left.as('default')
    leftToken = await left.createToken('admin')
    await deployShop(left, 'left')
    await deployShop(right, 'right')
  })

  test('run scripts of the same name, each with its own variables, secrets, KV values and services', async () => {
    for (const [platform, account] of [
      [left, 'left'],
      [right, 'right'],
    ] as const) {
      expect(JSON.parse(await platform.read('shop'))).toEqual({
        account,
        secret: `secret of ${account}`,
        stored: `value of ${account}`,
        backend: `backend of ${account}`,
        rpc: account,
      })
      expect(JSON.parse(await platform.read('shop', '/keys'))).toEqual(['k'])
    }
  })

  test('answer on <script>.<account>.<domain>; the first account on <script>.<domain>', async () => {
    expect([left.domain, right.domain, first.domain]).toEqual([
      'left.localhost',
      'right.localhost',
      'localhost',
    ])
    await first.upload('accounts-first', answering('first'))
    expect(await first.read('accounts-first')).toBe('first')
    expect((await left.call('accounts-first')).status).toBe(404)
    expect((await first.call('shop')).status).toBe(404)
  })

  test("wrangler with one account's token is refused in the other account", async () => {
    const env = { CLOUDFLARE_API_TOKEN: leftToken }
    const { dir } = createWorker('shop', answering('taken over'))
    const deployed = await right.wrangler(['deploy'], { cwd: dir, env })
    expect(deployed.code).toBe(1)
    expect(deployed.all).toContain('Authentication error')
    const listed = await right.wrangler(['kv', 'namespace', 'list'], { env })
    expect(listed.code).toBe(1)
    expect(JSON.parse(await right.read('shop'))).toMatchObject({ account: 'right' })
    const allowed = await left.wrangler(['deploy', '--name', 'own'], { cwd: dir, env })
    expect(allowed.code, allowed.all).toBe(0)
  })

  test("every route of the API answers 403 to the other account's token, whatever it names", async () => {
    const before = await inventory(right)
    const { result } = await right.api<{ items: { id: string }[] }>('GET', '$A/workers/scripts/shop/versions')
    const version = result.items[0]?.id ?? ''
    for (const [method, path, body] of everyRoute(version)) {
      const answer = await right.api(method, path, body, leftToken)
      expect([method, path, answer.status, answer.errors[0]?.error_code]).toEqual([
        method,
        path,
        403,
        'ERR_FORBIDDEN',
      ])
      const without = await right.api(method, path, body, 'x')
      expect([method, path, without.status]).toEqual([method, path, 401])
    }
    const zone = right.accountId + Buffer.from('right.example').toString('hex')
    for (const [method, path] of [
      ['GET', `/zones/${zone}`],
      ['GET', `/zones/${zone}/workers/routes`],
      ['POST', `/zones/${zone}/workers/routes`],
      ['DELETE', `/zones/${zone}/workers/routes/x`],
      ['GET', `/zones?account.id=${right.accountId}`],
      ['GET', `/accounts/${right.accountId}`],
    ] as const) {
      const body = method === 'POST' ? { pattern: 'right.example/*', script: 'shop' } : undefined
      const answer = await right.api(method, path, body, leftToken)
      expect([method, path, answer.status]).toEqual([method, path, 403])
    }
    const own = [
      ['GET', `/accounts/${right.accountId}/scripts/shop`],
      ['POST', `/accounts/${right.accountId}/scripts/shop/cron`],
      ['GET', `/accounts/${right.accountId}/gateway`],
      ['PUT', `/accounts/${right.accountId}/gateway`],
      ['GET', `/accounts/${right.accountId}/gateway/history`],
      ['GET', `/accounts/${right.accountId}/gateway/history/1`],
      ['POST', `/accounts/${right.accountId}/gateway/rollback`],
      ['GET', `/accounts/${right.accountId}/gateway/secrets`],
      ['PUT', `/accounts/${right.accountId}/gateway/secrets/S`],
      ['DELETE', `/accounts/${right.accountId}/gateway/secrets/S`],
      ['POST', `/accounts/${right.accountId}/explain`],
      ['GET', '/tokens'],
      ['POST', '/tokens'],
      ['POST', '/accounts'],
    ] as const
    for (const [method, path] of own) {
      const body = method === 'POST' ? { name: 'mine', role: 'admin' } : undefined
      const answer = await right.v1(method, path, body, leftToken)
      expect([method, path, answer.status]).toEqual([method, path, 403])
    }
    expect(await inventory(right)).toEqual(before)
  })

  test('a token of an account sees no other account', async () => {
    for (const path of ['/accounts', '/memberships']) {
      const { result } = await left.api<unknown[]>('GET', path, undefined, leftToken)
      expect(result).toHaveLength(1)
      expect(JSON.stringify(result)).toContain(left.accountId)
    }
    expect((await left.v1<unknown[]>('GET', '/accounts', undefined, leftToken)).body).toHaveLength(1)
  })

  test("a KV namespace of the other account can't be bound: adoption makes one of the account's own", async () => {
    const source =
      'export default { async fetch(_, env) { return Response.json((await env.STORE.list()).keys) } }'
    const { result } = await right.api<{ id: string }>('POST', '$A/storage/kv/namespaces', {
      title: 'private',
    })
    await right.api('PUT', `$A/storage/kv/namespaces/${result.id}/values/diary`, 'dear diary')
    const bindings = [{ type: 'kv_namespace', name: 'STORE', namespace_id: result.id }]
    await left.upload('thief', source, { bindings })
    expect(await left.read('thief')).toBe('[]')
    await right.api('DELETE', `$A/storage/kv/namespaces/${result.id}`)
  })

  test('a service binding to a name that only the other account has is refused', async () => {
    await right.upload('only-right', answering('right'))
    const bindings = [{ type: 'service', name: 'B', service: 'only-right' }]
    const answer = await left.api(
      'PUT',
      '$A/workers/scripts/caller',
      toUploadForm(answering('x'), { bindings }),
    )
    expect(answer).toMatchObject({ status: 400, errors: [{ error_code: 'ERR_SERVICE_TARGET' }] })
  })

  test('a custom domain of one account is refused to the other, also in part and by a wildcard', async () => {
    const project = (pattern: string, custom_domain: boolean) =>
      createWorker('shop-window', answering('window'), {
        workers_dev: false,
        routes: [{ pattern, custom_domain }],
      })
    const taken = await left.wrangler(['deploy'], { cwd: project('store.example', true).dir })
    expect(taken.code, taken.all).toBe(0)
    const get = async () => (await left.fetch('store.example')).text()
    expect(await get()).toBe('window')

    const rival = await right.wrangler(['deploy'], { cwd: project('store.example', true).dir })
    expect(rival.code).toBe(1)
    expect(rival.all).toContain('store.example')
    for (const pattern of [
      'store.example/*',
      'STORE.example/a',
      '*.example/*',
      '*store.example/*',
      `shop.${left.domain}/*`,
    ]) {
      const answer = await right.api('PUT', '$A/workers/scripts/shop-window/routes', [{ pattern }])
      expect([pattern, answer.status, answer.errors[0]?.error_code]).toEqual([pattern, 409, 'ERR_HOST_TAKEN'])
    }
    expect(await get()).toBe('window')

    await left.api('DELETE', '$A/workers/scripts/shop-window')
    const next = await right.wrangler(['deploy'], { cwd: project('store.example', true).dir })
    expect(next.code, 'once given up, it may be taken').toBe(0)
    await right.api('DELETE', '$A/workers/scripts/shop-window')
  })

  test('an account is made by the operator alone, with a name that is a host label', async () => {
    for (const name of ['right', 'UPPER', 'a.b', '-a', '']) {
      const answer = await left.v1<{ code: string }>('POST', '/accounts', { name })
      expect([name, answer.status, answer.body.code]).toEqual([name, 400, 'ERR_ACCOUNT_NAME'])
    }
    const { code, stdout } = await left.skerry(['account', 'create', `made-${left.kind}`, '--json'])
    expect(code).toBe(0)
    const made = JSON.parse(stdout)
    expect(made).toMatchObject({ name: `made-${left.kind}`, workers_domain: `made-${left.kind}.localhost` })
    const listed = JSON.parse((await left.skerry(['account', 'list', '--json'])).stdout)
    expect(listed.map(({ id }: { id: string }) => id)).toContain(made.id)
  })
})

/** A call of every route below an account. */
function everyRoute(version: string): [method: string, path: string, body?: unknown][] {
  const script = '$A/workers/scripts/shop'
  const store = `$A/storage/kv/namespaces/${NAMESPACE}`
  const secret = { name: 'SECRET', text: 'x', type: 'secret_text' }
  return [
    ['GET', '$A/workers/scripts'],
    ['GET', script],
    ['PUT', script, toUploadForm(answering('x'))],
    ['DELETE', script],
    ['GET', `${script}/settings`],
    ['GET', `${script}/script-settings`],
    ['PATCH', `${script}/script-settings`, {}],
    ['PATCH', `${script}/settings`, new FormData()],
    ['GET', `${script}/references`],
    ['GET', `${script}/secrets`],
    ['PUT', `${script}/secrets`, secret],
    ['DELETE', `${script}/secrets/SECRET`],
    ['PATCH', `${script}/secrets-bulk`, { secrets: { SECRET: null } }],
    ['GET', `${script}/versions`],
    ['POST', `${script}/versions`, toUploadForm(answering('x'))],
    ['GET', `${script}/versions/${version}`],
    ['GET', `${script}/deployments`],
    ['POST', `${script}/deployments`, { versions: [{ version_id: version, percentage: 100 }] }],
    ['GET', `${script}/schedules`],
    ['PUT', `${script}/schedules`, [{ cron: '* * * * *' }]],
    ['GET', `${script}/subdomain`],
    ['POST', `${script}/subdomain`, { enabled: false }],
    ['PUT', `${script}/routes`, []],
    ['POST', `${script}/domains/changeset`, []],
    ['PUT', `${script}/domains/records`, { origins: [] }],
    ['POST', `${script}/tails`, { filters: [] }],
    ['DELETE', `${script}/tails/x`],
    ['GET', '$A/workers/domains'],
    ['PUT', '$A/workers/domains', { hostname: 'x.example', service: 'shop' }],
    ['DELETE', '$A/workers/domains/x'],
    ['GET', '$A/workers/subdomain'],
    ['GET', '$A/workers/services/shop'],
    ['DELETE', '$A/workers/services/shop'],
    ['GET', '$A/workers/workers/shop'],
    ['PATCH', '$A/workers/workers/shop/versions/latest', { env: { SECRET: null } }],
    ['GET', '$A/workers/tails/by-consumer/shop'],
    ['GET', '$A/workers/durable_objects/namespaces'],
    ['GET', '$A/storage/kv/namespaces'],
    ['POST', '$A/storage/kv/namespaces', { title: 'x' }],
    ['GET', store],
    ['PUT', store, { title: 'x' }],
    ['DELETE', store],
    ['GET', `${store}/keys`],
    ['GET', `${store}/values/k`],
    ['PUT', `${store}/values/k`, 'x'],
    ['DELETE', `${store}/values/k`],
    ['GET', `${store}/metadata/k`],
    ['PUT', `${store}/bulk`, [{ key: 'k', value: 'x' }]],
    ['DELETE', `${store}/bulk`, ['k']],
    ['POST', `${store}/bulk/get`, { keys: ['k'] }],
    ['POST', `${store}/bulk/delete`, ['k']],
    ['GET', '$A/no/such/route'],
  ]
}

function inventory(platform: Platform): Promise<unknown[]> {
  const script = '$A/workers/scripts/shop'
  const nouns = [
    'versions',
    'deployments',
    'settings',
    'secrets',
    'schedules',
    'subdomain',
    'script-settings',
  ]
  const paths = [
    '$A/workers/scripts',
    '$A/workers/domains',
    '$A/storage/kv/namespaces',
    ...nouns.map(n => `${script}/${n}`),
  ]
  return Promise.all([...paths.map(path => platform.api('GET', path)), platform.read('shop')])
}
