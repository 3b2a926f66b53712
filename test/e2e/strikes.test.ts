import { existsSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RunningPlatform, startPlatform } from './support/platform.ts'
import { answering, createWorker } from './support/project.ts'

/** Computes without a pause for as long as asked, or for ever. */
const BUSY = `export default {
  fetch(request) {
    const ms = Number(new URL(request.url).searchParams.get('ms') ?? 0)
    const end = Date.now() + ms
    while (Date.now() < end);
    return new Response('done')
  },
}`
const FOREVER = '/?ms=1e9'

interface Summary {
  readonly strikes: readonly { kind: string; version_id: string }[]
  readonly quarantine: { readonly reason: string; readonly until: string } | null
  readonly turn_ms: number
}

async function codeOf(platform: RunningPlatform, script: string, path = '/'): Promise<string> {
  const response = await platform.call(script, path)
  const body = await response.text()
  return response.status === 200 ? body : (JSON.parse(body) as { code: string }).code
}

async function show(platform: RunningPlatform, script: string): Promise<Summary> {
  const { body } = await platform.v1<Summary>('GET', `/accounts/${platform.accountId}/scripts/${script}`)
  return body
}

describe('a function that does not end', () => {
  let platform: RunningPlatform

  beforeAll(async () => {
    platform = await startPlatform('start')
  })
  afterAll(() => platform?.stop())

  test('is struck each time, then in quarantine until a correction is deployed; others are served', async () => {
    await platform.upload('neighbour', answering('here'))
    const bad = (await platform.upload('looping', BUSY)).deployment_id
    for (let i = 0; i < 3; i++) {
      expect(await codeOf(platform, 'looping', FOREVER)).toBe('ERR_FUNCTION_CPU')
      await expect
        .poll(async () => (await show(platform, 'looping')).strikes.length, { timeout: 5000 })
        .toBe(i + 1)
    }
    // A strike is shown before every edge has heard of what it brings.
    await expect.poll(() => codeOf(platform, 'looping'), { timeout: 5000 }).toBe('ERR_FUNCTION_QUARANTINED')
    expect(await codeOf(platform, 'neighbour')).toBe('here')
    const { strikes, quarantine } = await show(platform, 'looping')
    expect(strikes).toMatchObject(Array(3).fill({ kind: 'cpu', version_id: bad }))
    expect(quarantine?.reason).toContain('it exceeded its limit of CPU time 3 times, since ')

    const project = createWorker('looping', answering('corrected'))
    const { code, all } = await platform.wrangler(['deploy'], { cwd: project.dir })
    expect(code, all).toBe(0)
    expect(await codeOf(platform, 'looping')).toBe('corrected')
  })

  test('may take as long as its project says in one turn', async () => {
    const project = createWorker('patient', BUSY, { limits: { cpu_ms: 4000 } })
    const { code, all } = await platform.wrangler(['deploy'], { cwd: project.dir })
    expect(code, all).toBe(0)
    expect((await show(platform, 'patient')).turn_ms).toBe(4000)
    expect(await codeOf(platform, 'patient', '/?ms=1500')).toBe('done')
    await platform.upload('impatient', BUSY)
    expect(await codeOf(platform, 'impatient', '/?ms=1500')).toBe('ERR_FUNCTION_CPU')
    expect((await show(platform, 'patient')).strikes).toEqual([])

    const form = new FormData()
    form.set('settings', JSON.stringify({ limits: { cpu_ms: 300 } }))
    await platform.api('PATCH', '$A/workers/scripts/patient/settings', form)
    expect(await codeOf(platform, 'patient', '/?ms=1500')).toBe('ERR_FUNCTION_CPU')
  })
})

describe('turns of a platform whose operator sets their limits', () => {
  let platform: RunningPlatform

  beforeAll(async () => {
    platform = await startPlatform('start', { env: { SKERRY_TURN_MS: '1200', SKERRY_TURN_MAX_MS: '1500' } })
  })
  afterAll(() => platform?.stop())

  test('may take as long as the default, or as the project says, and never longer than the most', async () => {
    await platform.upload('modest', BUSY)
    await platform.upload('greedy', BUSY, { limits: { cpu_ms: 30_000 } })
    expect([(await show(platform, 'modest')).turn_ms, (await show(platform, 'greedy')).turn_ms]).toEqual([
      1200, 1500,
    ])
    expect(await codeOf(platform, 'modest', '/?ms=900')).toBe('done')
    expect(await codeOf(platform, 'greedy', '/?ms=4000')).toBe('ERR_FUNCTION_CPU')
    const { body } = await platform.v1<{ limits: Record<string, object> }>('GET', '/limits')
    expect(body.limits).toMatchObject({ turnMs: { value: 1200 }, turnMaxMs: { value: 1500 } })
  })
})

describe('strikes of the supervisor', () => {
  let platform: RunningPlatform
  let ids = 0

  beforeAll(async () => {
    const env = { SKERRY_STRIKES: '2', SKERRY_STRIKE_WINDOW_SECONDS: '5', SKERRY_QUARANTINE_SECONDS: '60' }
    platform = await startPlatform('start', { env })
  })
  afterAll(() => platform?.stop())

  /** As the supervisor tells it. */
  async function strike(script: string, atMs = Date.now()): Promise<{ quarantined: boolean }> {
    const { result } = await platform.api<{ items: { resources: { script: { etag: string } } }[] }>(
      'GET',
      `$A/workers/scripts/${script}/versions`,
    )
    const digest = `${result.items[0]?.resources.script.etag}.prelude`
    const { accountId } = platform
    const body = { id: `e2e-${++ids}`, accountId, script, digest, kind: 'cpu', atMs, detail: 'one long turn' }
    const answer = await post(JSON.stringify(body))
    expect(answer.status).toBe(200)
    return JSON.parse(answer.body) as { quarantined: boolean }
  }

  function post(body: string): Promise<{ status: number | undefined; body: string }> {
    const sockets = ['state.ops', 'skerry.ops'].map(name => join(platform.dataDir, 'run', name))
    const socketPath = sockets.find(path => existsSync(path)) ?? ''
    return new Promise((resolve, reject) => {
      const outgoing = request({ socketPath, method: 'POST', path: '/strikes', agent: false })
      outgoing.on('error', reject)
      outgoing.on('response', async incoming =>
        resolve({ status: incoming.statusCode, body: await text(incoming) }),
      )
      outgoing.end(body)
    })
  }

  test("count by the operator's numbers", async () => {
    await platform.upload('counted', answering('here'))
    const now = Date.now()
    await strike('counted', now - 5001)
    expect(await strike('counted', now)).toEqual({ quarantined: false })
    expect(await strike('counted', now)).toEqual({ quarantined: true })
    const response = await platform.call('counted')
    expect(response.status).toBe(503)
    const seconds = Number(response.headers.get('retry-after'))
    expect(seconds).toBeGreaterThan(45)
    expect(seconds).toBeLessThanOrEqual(60)
    expect(await response.json()).toMatchObject({ code: 'ERR_FUNCTION_QUARANTINED' })
  })

  test('and quarantines outlast a crash of the platform', async () => {
    await platform.upload('lasting', answering('here'))
    await strike('lasting')
    await strike('lasting')
    const before = await show(platform, 'lasting')
    const { dataDir, port } = platform
    await platform.kill9()
    const env = { SKERRY_STRIKES: '2', SKERRY_QUARANTINE_SECONDS: '60' }
    platform = await startPlatform('start', { dataDir, port, env })
    expect(await show(platform, 'lasting')).toEqual(before)
    expect(before.strikes).toHaveLength(2)
    expect(await codeOf(platform, 'lasting')).toBe('ERR_FUNCTION_QUARANTINED')
  })

  test('are shown by the CLI and on the first page, and forgotten by a release', async () => {
    await platform.upload('held', answering('here'))
    const first = () =>
      platform.fetch(`localhost:${platform.port}`, '/', {
        headers: { authorization: `Bearer ${platform.token}`, accept: 'text/html' },
      })
    const shown = async () => (await platform.skerry(['script', 'show', 'held'])).stdout
    expect(await shown()).toMatch(/^strikes +none$/m)
    await strike('held')
    await strike('held')
    expect(await shown()).toMatch(/^strikes +\S+Z {2}cpu {2}\S{36} {2}one long turn$/m)
    expect(await shown()).toMatch(/^quarantine +until \S+Z: it exceeded its limit of CPU time 2 times/m)
    const page = await (await first()).text()
    expect(page).toMatch(
      /held<\/a>[\s\S]*<strong>In quarantine<\/strong> until [\s\S]*npx skerry script release held/,
    )
    const plain = await platform.fetch(`localhost:${platform.port}`, '/', {
      headers: { authorization: `Bearer ${platform.token}` },
    })
    expect(await plain.text()).toMatch(/held {2}http\S+\n {4}in quarantine until \S+Z: it exceeded/)

    const { code, stdout } = await platform.skerry(['script', 'release', 'held'])
    expect([code, stdout]).toEqual([0, 'Released held: it is called again.\n'])
    expect(await codeOf(platform, 'held')).toBe('here')
    expect(await shown()).toMatch(/^quarantine +no$/m)
  })

  test('are released by deployers, not by viewers', async () => {
    await platform.upload('guarded', answering('here'))
    const release = async (role: 'viewer' | 'deployer') =>
      platform.v1(
        'POST',
        `/accounts/${platform.accountId}/scripts/guarded/release`,
        {},
        await platform.createToken(role),
      )
    await strike('guarded')
    await strike('guarded')
    expect((await release('viewer')).status).toBe(403)
    expect(await codeOf(platform, 'guarded')).toBe('ERR_FUNCTION_QUARANTINED')
    expect(await release('deployer')).toMatchObject({ status: 200, body: { quarantine: null, strikes: [] } })
    expect(await codeOf(platform, 'guarded')).toBe('here')
  })

  test('that are malformed are refused, so that the supervisor does not repeat them', async () => {
    for (const body of ['', '{', '[]', '{}']) {
      const answer = await post(body)
      expect([body, answer.status]).toEqual([body, 400])
      expect(JSON.parse(answer.body)).toMatchObject({ code: 'ERR_API_BODY' })
    }
  })
})
