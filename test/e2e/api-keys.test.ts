import { describe, expect, test } from 'vitest'
import { isMistypedApiKey } from '../../src/core/api-key-text.ts'
import { openHosts } from './support/hosts.ts'

const hosts = await openHosts('keys')

interface ApiKey {
  readonly id: string
  readonly prefix: string
  readonly name: string
  readonly status: string
  readonly scopes: readonly string[]
  readonly expires_on: string | null
  readonly replaced_by: string | null
  readonly key?: string
  readonly replaces?: ApiKey
  readonly code?: string
  readonly detail?: string
}

const DAY_MS = 86_400_000

describe.each(hosts)('API keys of `npm $kind`', platform => {
  const path = `/accounts/${platform.accountId}/api-keys`
  const call = async (method: string, rest = '', body?: unknown, token?: string) => {
    const answer = await platform.v1<ApiKey>(method, `${path}${rest}`, body, token)
    return { ...answer.body, http: answer.status }
  }
  const list = async (query = '') =>
    (await platform.v1<{ api_keys: ApiKey[]; next_cursor: string | null }>('GET', `${path}${query}`)).body
  const skerry = async (...args: string[]) => {
    const { code, stdout, stderr } = await platform.skerry(['api-key', ...args])
    expect(code, stderr).toBe(0)
    return stdout.trim()
  }

  test('are made, listed, shown, changed, replaced, revoked and deleted with the command line', async () => {
    const text = await skerry(
      'create',
      '--name',
      'ci',
      '--owner',
      'blue',
      '--scopes',
      'a, b',
      '--metadata',
      'plan=gold',
    )
    expect(text).toMatch(/^sk_[0-9A-Za-z]{36}$/)
    expect(isMistypedApiKey(text)).toBe(false)

    const [listed] = JSON.parse(await skerry('list', '--owner', 'blue', '--json')) as ApiKey[]
    expect(listed).toMatchObject({
      ...{ prefix: text.slice(0, 9), name: 'ci', owner: 'blue', scopes: ['a', 'b'] },
      ...{
        metadata: { plan: 'gold' },
        status: 'active',
        expires_on: null,
        revoked_on: null,
        replaced_by: null,
      },
    })
    const { id = '' } = listed ?? {}
    expect(await skerry('list')).toContain(`${id}  ${text.slice(0, 9)}…  ci    blue   a b     active  never`)
    expect(await skerry('list', '--owner', 'nobody')).toContain('No API keys.')

    const shown = await skerry('update', id, '--scopes', 'a', '--expires', '90d')
    expect(shown).toMatch(/^scopes +\["a"\]$/m)
    const updated = JSON.parse(await skerry('show', id, '--json')) as ApiKey
    expectAbout(updated.expires_on, 90 * DAY_MS)
    expect(updated).toMatchObject({ name: 'ci', metadata: { plan: 'gold' } })

    const rotated = JSON.parse(await skerry('rotate', id, '--json')) as ApiKey
    expect(rotated.key).not.toBe(text)
    expect(rotated).toMatchObject({
      name: 'ci',
      owner: 'blue',
      scopes: ['a'],
      metadata: { plan: 'gold' },
      status: 'active',
    })
    expectAbout(rotated.expires_on, 90 * DAY_MS)
    expect(rotated.replaces).toMatchObject({ id, status: 'active', replaced_by: rotated.id })
    expectAbout(rotated.replaces?.expires_on, DAY_MS)

    expect(await skerry('revoke', id)).toBe(`Revoked ${id} (ci).`)
    expect(JSON.parse(await skerry('show', id, '--json'))).toMatchObject({ status: 'revoked' })
    await skerry('delete', id)
    expect((await platform.skerry(['api-key', 'show', id])).stderr).toContain('[ERR_API_KEY_NOT_FOUND]')
    const everything = JSON.stringify(await list()) + (await skerry('list'))
    expect(everything).not.toContain(text)
    expect(everything).not.toContain(rotated.key)
  })

  test('are not found, listed or changed by another account', async () => {
    const other = await platform.as('keys-other')
    const token = await other.createToken('admin')
    const { id } = await call('POST', '', { name: 'mine' })
    for (const [method, rest] of [
      ['GET', ''],
      ['POST', ''],
      ['GET', `/${id}`],
      ['PATCH', `/${id}`],
      ['POST', `/${id}/rotate`],
      ['POST', `/${id}/revoke`],
      ['DELETE', `/${id}`],
    ] as const) {
      expect([method, rest, (await call(method, rest, undefined, token)).http]).toEqual([method, rest, 403])
    }
    const foreign = await other.v1('GET', `/accounts/${other.accountId}/api-keys/${id}`)
    expect(foreign.status).toBe(404)
    expect(await call('GET', `/${id}`)).toMatchObject({ status: 'active' })
  })

  test('are managed by deployers; viewers see them', async () => {
    const [viewer, deployer] = [await platform.createToken('viewer'), await platform.createToken('deployer')]
    const made = await call('POST', '', { name: 'by a deployer' }, deployer)
    expect(made.http).toBe(201)
    expect((await call('GET', `/${made.id}`, undefined, viewer)).http).toBe(200)
    for (const [method, rest] of [
      ['POST', ''],
      ['PATCH', `/${made.id}`],
      ['POST', `/${made.id}/rotate`],
      ['POST', `/${made.id}/revoke`],
      ['DELETE', `/${made.id}`],
    ] as const) {
      expect([method, (await call(method, rest, { name: 'x' }, viewer)).http]).toEqual([method, 403])
    }
    expect((await call('DELETE', `/${made.id}`, undefined, deployer)).http).toBe(204)
  })

  test('are listed in pages, the newest first', async () => {
    const ids: string[] = []
    for (const name of ['1', '2', '3']) ids.unshift((await call('POST', '', { name, owner: 'pages' })).id)
    const first = await list('?owner=pages&limit=2')
    expect(first.api_keys.map(({ id }) => id)).toEqual(ids.slice(0, 2))
    await call('DELETE', `/${ids[1]}`)
    const second = await list(`?owner=pages&limit=2&cursor=${first.next_cursor}`)
    expect(second).toMatchObject({ api_keys: [{ id: ids[2] }], next_cursor: null })
    expect((await list('?owner=pages&limit=2')).next_cursor).toBeNull()
  })

  test.each<[body: object, message: string]>([
    [{}, '"name" is missing'],
    [{ name: ' ' }, 'name: It must not be empty.'],
    [{ name: 'x'.repeat(101) }, 'name: It must have at most 100 characters.'],
    [{ name: 'x', owner: 7 }, 'owner: '],
    [{ name: 'x', scopes: ['a b'] }, 'scopes.0: A scope has 1 to 128'],
    [{ name: 'x', metadata: { plan: { name: 'gold' } } }, 'metadata.plan: '],
    [{ name: 'x', metadata: { 'a b': '' } }, 'A key has 1 to 64 letters'],
    [
      { name: 'x', metadata: { a: 'x'.repeat(500), b: 'x'.repeat(500) } },
      'metadata: Name, owner, scopes and metadata have',
    ],
    [{ name: 'x', expires_on: 'tomorrow' }, 'expires_on: It must be a date'],
    [{ name: 'x', expires_on: '2027-02-31T00:00:00+99:00' }, 'expires_on: There is no such date.'],
    [{ name: 'x', expires_on: '2020-01-01' }, 'expires_on: It must be in the future'],
    [{ name: 'x', expires_in: '0s' }, 'expires_in: '],
    [{ name: 'x', expires_in: '90d', expires_on: null }, 'expires_in: "expires_on" is there too'],
    [{ name: 'x', role: 'admin' }, '"role" is not known here'],
  ])('with %j are refused with the field', async (body, message) => {
    const answer = await call('POST', '', body)
    expect([answer.http, answer.code]).toEqual([400, 'ERR_API_KEY_REQUEST'])
    expect(answer.detail).toContain(message)
  })

  test.each<[query: string, message: string]>([
    ['?limit=0', 'limit: It must be a number from 1 to 1,000.'],
    ['?limit=1001', 'limit: It must be a number from 1 to 1,000.'],
    ['?cursor=x', 'cursor: It must be the "next_cursor" of the page before.'],
    ['?team=x', '"team" is not known here'],
  ])('asked for with %s are refused', async (query, message) => {
    const answer = await call('GET', query)
    expect(answer).toMatchObject({ http: 400, code: 'ERR_API_KEY_REQUEST' })
    expect(answer.detail).toContain(message)
  })

  test('expire where they are told to, and can be made to last again', async () => {
    const { id } = await call('POST', '', { name: 'x', expires_on: '2099-01-01' })
    expect((await call('GET', `/${id}`)).expires_on).toBe('2099-01-01T00:00:00.000000Z')
    expect((await call('PATCH', `/${id}`, { name: 'y' })).expires_on).toBe('2099-01-01T00:00:00.000000Z')
    expect((await call('PATCH', `/${id}`, { expires_on: null })).expires_on).toBeNull()
    expect((await call('PATCH', `/${id}`, { scopes: ['a'] })).name).toBe('y')
    expect((await call('PATCH', `/${id}`, { owner: 'z' })).code).toBe('ERR_API_KEY_REQUEST')
  })

  test('are replaced once, with the overlap that is asked for, and not when they are of no use any more', async () => {
    const { id } = await call('POST', '', { name: 'x', expires_in: '1h' })
    const first = await call('POST', `/${id}/rotate`, { overlap: '2h' })
    expect(first.http).toBe(201)
    expectAbout(first.replaces?.expires_on, 3_600_000)
    const again = await call('POST', `/${id}/rotate`)
    expect([again.http, again.code]).toEqual([409, 'ERR_API_KEY_STATE'])
    expect(again.detail).toContain(`was replaced by ${first.id} before`)

    const second = await call('POST', `/${first.id}/rotate`, { overlap: 0, expires_on: null })
    expect(second).toMatchObject({ expires_on: null, replaces: { status: 'expired' } })
    await call('POST', `/${second.id}/revoke`)
    expect((await call('POST', `/${second.id}/rotate`)).detail).toContain('is revoked')
    expect((await call('POST', '/none/rotate')).code).toBe('ERR_API_KEY_NOT_FOUND')
    expect((await call('POST', `/${second.id}/rotate`, { overlap: '91d' })).detail).toContain('overlap: ')
  })

  test('revoked twice stay revoked since the first time', async () => {
    const { id } = await call('POST', '', { name: 'x' })
    const first = await call('POST', `/${id}/revoke`)
    expect(await call('POST', `/${id}/revoke`)).toEqual(first)
  })

  test('say on the command line what is wrong', async () => {
    for (const [args, code, message] of [
      [['create'], 2, '--name is missing'],
      [['create', '--name', 'x', '--metadata', 'gold'], 2, '--metadata has "gold", but must be key=value'],
      [['create', '--name', 'x', '--expires', 'soon'], 1, '[ERR_API_KEY_REQUEST]'],
      [['update', 'x'], 2, 'Nothing to change'],
      [['revoke', 'x'], 1, 'The account has no API key "x". [ERR_API_KEY_NOT_FOUND]'],
    ] as const) {
      const finished = await platform.skerry(['api-key', ...args])
      expect([finished.code, finished.stderr]).toEqual([code, expect.stringContaining(message)])
    }
  })
})

/** Within five minutes: clocks and slow machines. */
function expectAbout(text: string | null | undefined, fromNowMs: number): void {
  const differenceMs = Date.parse(text ?? '') - Date.now() - fromNowMs
  expect(Math.abs(differenceMs)).toBeLessThan(300_000)
}
