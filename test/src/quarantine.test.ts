import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { AccountChanges, ScriptEntry } from '../../src/core/routing.ts'
import { bundleModule, embeddedKv, startWorkerd, type Workerd } from '../support/workerd.ts'

const TOKEN = 'admin'
const MINUTE = 60_000
const HOUR = 60 * MINUTE

let workerd: Workerd
let accountId = ''
const dir = mkdtempSync(join(tmpdir(), 'strikes-'))

beforeAll(async () => {
  const kv = (name: string, namespace: string) => ({
    name,
    kvNamespace: { name: 'kv', props: { json: JSON.stringify({ namespace }) } },
  })
  const objects = {
    DIRECTORY: 'Directory',
    ACCOUNT: 'Account',
    CRON: 'CronClock',
    TAILS: 'TailHub',
    LIMITER: 'Limiter',
    RECORDS: 'Records',
  }
  workerd = await startWorkerd({
    modules: { 'worker.js': await bundleModule('test/worker/strikes.ts') },
    compatibilityFlags: ['experimental', 'service_binding_extra_handlers'],
    bindings: [
      { name: 'LOADER', workerLoader: { id: 'functions' } },
      kv('CODE', 'code'),
      kv('KV', 'kv'),
      ...Object.entries(objects).map(([name, className]) => ({
        name,
        durableObjectNamespace: { className },
      })),
      { name: 'ADMIN_TOKEN', text: TOKEN },
      { name: 'MASTER_KEY', text: btoa('0'.repeat(32)) },
      { name: 'SKERRY_HOST_KIND', text: 'self-host' },
    ],
    durableObjects: Object.values(objects),
    services: embeddedKv('kv', dir),
  })
  const accounts = await api<{ result: { id: string }[] }>('GET', '/client/v4/accounts')
  accountId = accounts.result[0]?.id ?? ''
})

afterAll(async () => {
  await workerd?.stop()
  rmSync(dir, { recursive: true, force: true })
})

async function api<T>(method: string, path: string, body?: string | object): Promise<T> {
  const headers = { authorization: `Bearer ${TOKEN}`, host: 'localhost' }
  const text = typeof body === 'object' ? JSON.stringify(body) : body
  const response = await workerd.fetch(path, { method, headers, ...(text !== undefined && { body: text }) })
  return (await response.json()) as T
}

/** Uploads a version that answers with this text; deployed unless told otherwise. */
async function upload(name: string, text: string, more: { deploy?: boolean; metadata?: object } = {}) {
  const source = `export default {
    fetch: async (request, env) => new Response(env.OTHER ? await (await env.OTHER.fetch(request)).text() : ${JSON.stringify(text)}),
    scheduled() {},
  }`
  const form = new FormData()
  const metadata = { main_module: 'm.js', compatibility_date: '2026-11-01', ...more.metadata }
  form.set('metadata', JSON.stringify(metadata))
  form.append('m.js', new Blob([source], { type: 'application/javascript+module' }), 'm.js')
  const request = new Request('http://x', { method: 'POST', body: form })
  const deploys = more.deploy ?? true
  const path = `/client/v4/accounts/${accountId}/workers/scripts/${name}${deploys ? '' : '/versions'}`
  const response = await workerd.fetch(path, {
    method: deploys ? 'PUT' : 'POST',
    headers: {
      host: 'localhost',
      authorization: `Bearer ${TOKEN}`,
      'content-type': request.headers.get('content-type') ?? '',
    },
    body: new Uint8Array(await request.arrayBuffer()),
  })
  const answer = (await response.json()) as {
    success: boolean
    errors: unknown
    result: { id: string; deployment_id: string }
  }
  if (!answer.success) throw new Error(JSON.stringify(answer.errors))
  return deploys ? answer.result.deployment_id : answer.result.id
}

const deploy = (name: string, ...shares: [id: string, percentage: number][]) =>
  api('POST', `/client/v4/accounts/${accountId}/workers/scripts/${name}/deployments`, {
    strategy: 'percentage',
    versions: shares.map(([version_id, percentage]) => ({ version_id, percentage })),
  })

interface Summary {
  readonly strikes: readonly { id: string; version_id: string; kind: string; at: string; detail: string }[]
  readonly quarantine: { since: string; until: string; kind: string; reason: string } | null
  readonly quarantined_previews: readonly { version_id: string }[]
  readonly turn_ms: number
}
const show = (name: string) => api<Summary>('GET', `/api/v1/accounts/${accountId}/scripts/${name}`)
const release = (name: string) =>
  api<Summary>('POST', `/api/v1/accounts/${accountId}/scripts/${name}/release`, {})

const call = (host: string) => workerd.fetch('/', { headers: { host: `${host}.localhost` } })
const read = async (host: string) => {
  const response = await call(host)
  const text = await response.text()
  return response.status === 200 ? text : `${response.status} ${(JSON.parse(text) as { code: string }).code}`
}

/** The account as edges know it. */
async function readChanges(): Promise<AccountChanges> {
  const [changes] = (await (await workerd.fetch('/-/changes')).json()) as AccountChanges[]
  if (!changes) throw new Error('no account')
  return changes
}
async function entryOf(name: string): Promise<ScriptEntry> {
  const found = (await readChanges()).scripts.find(script => script.name === name)
  if (!found) throw new Error(`no script ${name}`)
  return found
}
const isolateOf = async (name: string) => (await entryOf(name)).versions[0]?.isolate ?? ''

async function report(body: object): Promise<unknown> {
  const response = await workerd.fetch('/-/strikes', { method: 'POST', body: JSON.stringify(body) })
  return response.status === 200 ? response.json() : response.text()
}

let ids = 0
/** A strike of what is deployed first, unless told otherwise. */
async function strike(name: string, more: object = {}) {
  return report({
    id: `strike-${++ids}`,
    accountId,
    script: name,
    digest: `${await isolateOf(name)}.1a2b+tail~3`,
    kind: 'cpu',
    atMs: Date.now(),
    detail: 'one turn took 612 ms of 500',
    ...more,
  })
}
async function strikeOut(name: string, more: object = {}): Promise<void> {
  for (let i = 0; i < 3; i++) await strike(name, more)
}

describe('strikes', () => {
  test('of a script are shown, newest first, with their version', async () => {
    const version = await upload('shown', 'here')
    expect(await strike('shown', { atMs: Date.now() - MINUTE, kind: 'memory' })).toEqual({
      quarantined: false,
    })
    expect(await strike('shown')).toEqual({ quarantined: false })
    const { strikes, quarantine } = await show('shown')
    expect(quarantine).toBeNull()
    expect(strikes).toEqual([
      expect.objectContaining({ version_id: version, kind: 'cpu', detail: 'one turn took 612 ms of 500' }),
      expect.objectContaining({ version_id: version, kind: 'memory', at: expect.stringMatching(/Z$/) }),
    ])
    expect(await read('shown')).toBe('here')
  })

  test('told several times count once', async () => {
    await upload('again', 'here')
    for (let i = 0; i < 5; i++) {
      expect(await strike('again', { id: 'the same' })).toEqual({ quarantined: false })
    }
    expect((await show('again')).strikes).toHaveLength(1)
  })

  test('of the last twenty are kept', async () => {
    await upload('kept', 'here')
    const before = Date.now() - 30 * HOUR
    for (let i = 0; i <= 20; i++) await strike('kept', { id: `kept-${i}`, atMs: before + i * HOUR })
    const { strikes } = await show('kept')
    expect(strikes.map(({ id }) => id)).toEqual(Array.from({ length: 20 }, (_, i) => `kept-${20 - i}`))
  })

  test('that leave the script alone are not pushed to the edges', async () => {
    await upload('unpushed', 'here')
    const { to } = await readChanges()
    await strike('unpushed')
    expect((await readChanges()).to).toBe(to)
  })

  test('of an account, script or version that is gone change nothing', async () => {
    await upload('gone', 'here')
    const { to } = await readChanges()
    const changes = [{ accountId: 'f'.repeat(32) }, { script: 'never-there' }, { digest: 'no-such.1a2b' }]
    for (const change of changes) {
      for (let i = 0; i < 3; i++) expect(await strike('gone', change)).toEqual({ quarantined: false })
    }
    expect((await show('gone')).strikes).toEqual([])
    expect((await readChanges()).to).toBe(to)
  })

  test.each([
    ['no id', { id: '' }, 'id'],
    ['an id that is no text', { id: 7 }, 'id'],
    ['an account that is none', { accountId: '../x' }, 'accountId'],
    ['a name longer than any', { script: 'x'.repeat(64) }, 'script'],
    ['no digest', { digest: undefined }, 'digest'],
    ['an unknown kind', { kind: 'disk' }, 'kind'],
    ['a time that is none', { atMs: -1 }, 'atMs'],
    ['no detail', { detail: null }, 'detail'],
  ])('with %s are refused by the field', async (_, change, field) => {
    const fine = { id: 'x', accountId, script: 'x', digest: 'x.1', kind: 'cpu', atMs: 1, detail: '' }
    expect(await report({ ...fine, ...change })).toMatch(
      new RegExp(`ERR_API_BODY: The strike is malformed: ${field}: `),
    )
  })

  test('with a long detail are cut, those from the future count as of now', async () => {
    await upload('odd', 'here')
    await strike('odd', { detail: 'x'.repeat(10_000), atMs: Date.now() + 24 * HOUR })
    const [found] = (await show('odd')).strikes
    expect(found?.detail).toHaveLength(500)
    expect(Date.parse(found?.at ?? '')).toBeLessThanOrEqual(Date.now())
  })
})

describe('a quarantine', () => {
  test('begins with the third strike: 503, when to come back, and why', async () => {
    await upload('three', 'here')
    await strike('three')
    await strike('three')
    expect(await read('three')).toBe('here')
    expect(await strike('three')).toEqual({ quarantined: true })
    const response = await call('three')
    expect(response.status).toBe(503)
    const seconds = Number(response.headers.get('retry-after'))
    expect(seconds).toBeGreaterThan(3590)
    expect(seconds).toBeLessThanOrEqual(3600)
    expect(await response.json()).toMatchObject({
      code: 'ERR_FUNCTION_QUARANTINED',
      detail: expect.stringMatching(
        /^The function "three" is in quarantine until \S+Z: it exceeded its limit of CPU time 3 times, since \S+Z\.$/,
      ),
    })
    const { quarantine } = await show('three')
    expect(quarantine).toMatchObject({ kind: 'cpu', reason: expect.stringContaining('CPU time 3 times') })
    expect(Date.parse(quarantine?.until ?? '') - Date.parse(quarantine?.since ?? '')).toBe(HOUR)
  })

  test('is told to edges once, and further strikes during it change nothing', async () => {
    await upload('more', 'here')
    await strikeOut('more')
    const { to } = await readChanges()
    const before = await show('more')
    expect(await strike('more')).toEqual({ quarantined: true })
    expect((await readChanges()).to).toBe(to)
    const after = await show('more')
    expect(after.quarantine).toEqual(before.quarantine)
    expect(after.strikes).toHaveLength(4)
  })

  test('is ended by release, which forgets the strikes', async () => {
    await upload('released', 'here')
    await strikeOut('released')
    expect(await read('released')).toBe('503 ERR_FUNCTION_QUARANTINED')
    expect(await release('released')).toMatchObject({ name: 'released', quarantine: null, strikes: [] })
    expect(await read('released')).toBe('here')
    await strike('released')
    expect(await strike('released')).toEqual({ quarantined: false })
  })

  test('is ended by a new version, and not by the same code once more', async () => {
    await upload('mended', 'bad')
    await strikeOut('mended')
    await upload('mended', 'bad')
    expect(await read('mended')).toBe('503 ERR_FUNCTION_QUARANTINED')
    await upload('mended', 'good')
    expect(await read('mended')).toBe('good')
    expect((await show('mended')).quarantine).toBeNull()
  })

  test('is ended by a deployment only if none of the struck code is in it', async () => {
    const good = await upload('split', 'good')
    const bad = await upload('split', 'bad')
    await strikeOut('split')
    await deploy('split', [good, 50], [bad, 50])
    expect(await read('split')).toBe('503 ERR_FUNCTION_QUARANTINED')
    await deploy('split', [good, 100])
    expect(await read('split')).toBe('good')
  })

  test('is of the whole script where traffic is split', async () => {
    const good = await upload('both', 'good')
    const bad = await upload('both', 'bad')
    const digest = `${await isolateOf('both')}.1`
    await deploy('both', [good, 99], [bad, 1])
    await strikeOut('both', { digest })
    for (let i = 0; i < 20; i++) expect(await read('both')).toBe('503 ERR_FUNCTION_QUARANTINED')
  })

  test('is not brought by strikes of a version that was replaced', async () => {
    await upload('replaced', 'bad')
    const digest = `${await isolateOf('replaced')}.1`
    await strike('replaced', { digest })
    await strike('replaced', { digest })
    await upload('replaced', 'good')
    await strike('replaced', { digest })
    await strike('replaced')
    expect(await read('replaced')).toBe('good')
    expect((await show('replaced')).quarantine).toBeNull()
  })

  test('is over when its time is, and the next strike brings one twice as long', async () => {
    await upload('timed', 'here')
    // An hour, of which almost all is over.
    const atMs = Date.now() - HOUR + 1500
    await strikeOut('timed', { atMs })
    expect(await read('timed')).toBe('503 ERR_FUNCTION_QUARANTINED')
    await expect.poll(() => read('timed'), { interval: 50, timeout: 5000 }).toBe('here')
    expect(Date.now()).toBeGreaterThanOrEqual(atMs + HOUR)
    expect((await show('timed')).quarantine).toBeNull()
    expect(await strike('timed')).toEqual({ quarantined: true })
    const { quarantine } = await show('timed')
    expect(Date.parse(quarantine?.until ?? '') - Date.parse(quarantine?.since ?? '')).toBe(2 * HOUR)
    expect(quarantine?.reason).toContain('after a quarantine that ended')
  })

  test('holds on previews of the struck version, and of no other', async () => {
    const bad = await upload('previewed', 'bad')
    await strikeOut('previewed')
    const good = await upload('previewed', 'good', { deploy: false })
    expect(await read(`${bad.slice(0, 8)}-previewed`)).toBe('503 ERR_FUNCTION_QUARANTINED')
    expect(await read(`${good.slice(0, 8)}-previewed`)).toBe('good')
  })

  test('of a version that is not deployed is of its preview alone', async () => {
    await upload('preview', 'good')
    const bad = await upload('preview', 'bad', { deploy: false })
    const host = `${bad.slice(0, 8)}-preview`
    expect(await read(host)).toBe('bad')
    // Deployed, its code's digest is seen.
    await deploy('preview', [bad, 100])
    const digest = `${await isolateOf('preview')}.1`
    await upload('preview', 'good')
    await strikeOut('preview', { digest })
    expect(await read('preview')).toBe('good')
    expect(await read(host)).toBe('503 ERR_FUNCTION_QUARANTINED')
    expect(await show('preview')).toMatchObject({
      quarantine: null,
      quarantined_previews: [{ version_id: bad }],
    })
    await deploy('preview', [bad, 100])
    expect([await read('preview'), await read(host)]).toEqual(['bad', 'bad'])
  })

  test('is seen by other functions as an error of its code', async () => {
    await upload('callee', 'here')
    const bindings = [{ type: 'service', name: 'OTHER', service: 'callee' }]
    await upload('caller', '', { metadata: { bindings } })
    expect(await read('caller')).toBe('here')
    await strikeOut('callee')
    expect(await read('caller')).toBe('500 ERR_FUNCTION_EXCEPTION')
    expect((await show('caller')).quarantine).toBeNull()
  })

  test.each([
    ['cpu', 'exceededCpu'],
    ['memory', 'exceededMemory'],
  ])('for %s ends ticks of its crons as %s, without running them', async (kind, outcome) => {
    const script = `cron-${kind}`
    await upload(script, 'here')
    const tick = async () => {
      const body = JSON.stringify({ accountId, script })
      return (await workerd.fetch('/-/scheduled', { method: 'POST', body })).json()
    }
    expect(await tick()).toMatchObject({ outcome: 'ok' })
    await strikeOut(script, { kind })
    expect(await tick()).toEqual({
      outcome,
      noRetry: true,
      error: expect.stringContaining(`The function "${script}" is in quarantine until`),
    })
  })

  test('goes with the script', async () => {
    await upload('deleted', 'here')
    await strikeOut('deleted')
    await api('DELETE', `/client/v4/accounts/${accountId}/workers/scripts/deleted`)
    await upload('deleted', 'here')
    expect(await read('deleted')).toBe('here')
    expect((await show('deleted')).strikes).toEqual([])
  })

  test('is listed for the account', async () => {
    await upload('listed', 'here')
    await strikeOut('listed', { kind: 'memory' })
    const list = await api<{ name: string }[]>('GET', `/api/v1/accounts/${accountId}/quarantine`)
    expect(list.find(({ name }) => name === 'listed')).toEqual({
      name: 'listed',
      preview: false,
      kind: 'memory',
      since: expect.any(String),
      until: expect.any(String),
      reason: expect.stringContaining('the limit of memory 3 times'),
    })
    expect(list.some(({ name }) => name === 'shown')).toBe(false)
  })
})

describe("a project's limits.cpu_ms", () => {
  test.each([
    [undefined, 500],
    [1, 10],
    [10, 10],
    [11, 11],
    [30_000, 30_000],
    [30_001, 30_000],
    [300_000, 30_000],
  ])('%s: turns of %s ms, for edges and in the summary', async (cpu_ms, expected) => {
    const metadata = cpu_ms === undefined ? {} : { limits: { cpu_ms } }
    await upload('limited', 'here', { metadata })
    expect((await entryOf('limited')).versions[0]?.turnMs).toBe(expected)
    expect((await show('limited')).turn_ms).toBe(expected)
  })

  const patch = async (name: string, noun: string, body: object) => {
    const form = new FormData()
    form.set('settings', JSON.stringify(body))
    const request = new Request('http://x', {
      method: 'POST',
      body: noun === 'settings' ? form : JSON.stringify(body),
    })
    const response = await workerd.fetch(`/client/v4/accounts/${accountId}/workers/scripts/${name}/${noun}`, {
      method: 'PATCH',
      headers: {
        host: 'localhost',
        authorization: `Bearer ${TOKEN}`,
        'content-type': request.headers.get('content-type') ?? '',
      },
      body: new Uint8Array(await request.arrayBuffer()),
    })
    return (await response.json()) as {
      success: boolean
      errors: { message: string; error_code: string }[]
      result: { limits?: object; tags: string[] }
    }
  }
  const turnMsOf = async (name: string) => (await entryOf(name)).versions[0]?.turnMs

  test.each([
    [{ limits: { cpu_ms: 900, subrequests: 7 } }, { cpu_ms: 900, subrequests: 7 }, 900],
    [{ limits: { cpu_ms: 299_999 }, tags: ['a'] }, { cpu_ms: 299_999 }, 30_000],
    [{ limits: {} }, {}, 500],
    [{ limits: null }, undefined, 500],
    [{ tags: ['a'] }, { cpu_ms: 50 }, 50],
  ])('is changed by settings %j at once', async (body, limits, turnMs) => {
    await upload('changed', 'here', { metadata: { limits: { cpu_ms: 50 }, tags: [] } })
    const { success, result } = await patch('changed', 'settings', body)
    expect([success, result.limits, await turnMsOf('changed')]).toEqual([true, limits, turnMs])
    expect(result.tags).toEqual('tags' in body ? body.tags : [])
    expect(await read('changed')).toBe('here')
  })

  test('is changed by a version of its own, to which one may roll back', async () => {
    const first = await upload('rolled', 'here')
    await patch('rolled', 'settings', { limits: { cpu_ms: 700 } })
    expect((await entryOf('rolled')).versions).not.toMatchObject([{ id: first }])
    await deploy('rolled', [first, 100])
    expect(await turnMsOf('rolled')).toBe(500)
  })

  test('is not changed by settings while the latest version is not all that is deployed', async () => {
    const first = await upload('behind', 'here')
    await upload('behind', 'there', { deploy: false })
    const { errors } = await patch('behind', 'settings', { limits: { cpu_ms: 700 }, tags: ['a'] })
    expect(errors).toMatchObject([{ error_code: 'ERR_SETTINGS_UNDEPLOYED' }])
    expect(await entryOf('behind')).toMatchObject({ versions: [{ id: first, turnMs: 500 }] })
    expect((await patch('behind', 'settings', {})).result.tags).toEqual([])
  })

  test.each([
    ['settings', { limits: { cpu_ms: 0 } }, 'The field "limits.cpu_ms" must be >=1, not 0.'],
    ['settings', { limits: 7 }, 'The field "limits" must be '],
    ['settings', { bindings: [] }, 'The field "bindings" is no setting that can be changed here; '],
    ['settings', [], 'with a part "settings" that is a JSON object.'],
    ['script-settings', { limits: { cpu_ms: 700 } }, 'Limits belong to a version: '],
  ])('%s %j is refused by name', async (noun, body, message) => {
    await upload('kept', 'here')
    const { errors } = await patch('kept', noun, body)
    expect(errors).toMatchObject([{ error_code: 'ERR_API_BODY', message: expect.stringContaining(message) }])
    expect(await turnMsOf('kept')).toBe(500)
  })

  test('is part of what an isolate is', async () => {
    const isolates = new Set<string>()
    for (const limits of [undefined, { cpu_ms: 50 }, { cpu_ms: 60 }, { cpu_ms: 60, subrequests: 9 }]) {
      await upload('distinct', 'here', { metadata: { limits } })
      isolates.add(await isolateOf('distinct'))
    }
    expect(isolates.size).toBe(3)
  })

  test.each([[0], [-1], [1.5], [300_001], ['50']])('%s is refused by name', async cpu_ms => {
    await expect(upload('refused', 'here', { metadata: { limits: { cpu_ms } } })).rejects.toThrow(
      'limits.cpu_ms',
    )
  })
})
