import { renameSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Answer, Caller } from './support/caller.ts'
import { toUploadForm } from './support/client.ts'
import { callEdge, edgesOf, openEdge, until } from './support/edges.ts'
import { type RunningPlatform, startPlatform } from './support/platform.ts'
import { answering } from './support/project.ts'

const DEPLOYS = 40
/** A push that was lost is made up for at a heartbeat, every two seconds. */
const LOST_PUSH_MS = 4000

let platform: RunningPlatform
let edges: string[]

beforeAll(async () => {
  platform = await startPlatform('start', { env: { SKERRY_PROCESSES: '3' } })
  edges = edgesOf(platform)
  await platform.upload('everywhere', answering('at first'))
})
afterAll(() => platform?.stop())

/** What each edge answers to one request, sent to all of them at once. */
async function askAll(script: string, path = '/'): Promise<string[]> {
  const answers = await Promise.all(edges.map(edge => callEdge(platform, edge, script, path)))
  return answers.map(({ status, text }) => (status === 200 ? text : `${status} ${text}`))
}

function kill(name: string, signal: NodeJS.Signals = 'SIGKILL'): void {
  process.kill(platform.processes()[name] ?? Number.NaN, signal)
}

/** Kills an edge; resolves when its successor answers. */
async function restart(edge: string): Promise<void> {
  const old = platform.processes()[edge]
  kill(edge)
  await until(`${edge} answers`, async () => {
    const { status } = await callEdge(platform, edge, 'everywhere')
    return status === 200 && platform.processes()[edge] !== old
  })
}

/** Deploys by a request that this edge takes. */
async function deployThrough(edge: string, script: string, text: string): Promise<Answer> {
  const form = new Response(toUploadForm(answering(text)))
  const headers = {
    authorization: `Bearer ${platform.token}`,
    'content-type': form.headers.get('content-type') ?? '',
  }
  const path = `/client/v4/accounts/${platform.accountId}/workers/scripts/${script}`
  return openEdge(platform, edge).call('localhost', path, { method: 'PUT', headers, body: await form.text() })
}

/** Does something while the supervisor is stopped: what ends meanwhile isn't started again. */
async function withoutSupervisor(something: () => Promise<void>): Promise<void> {
  process.kill(platform.supervisorPid, 'SIGSTOP')
  try {
    await something()
  } finally {
    process.kill(platform.supervisorPid, 'SIGCONT')
    await untilWhole()
  }
}

async function untilWhole(): Promise<void> {
  await until('the API answers', async () => (await callApi('GET', '/accounts')).status === 200)
  for (const edge of edges)
    await until(`${edge} answers`, async () => (await callEdge(platform, edge, 'everywhere')).status === 200)
}

function callApi(method: string, path: string, body?: string) {
  const headers = { authorization: `Bearer ${platform.token}`, 'content-type': 'text/plain' }
  const caller = new Caller({ port: platform.port }, { keepAlive: false })
  return caller.call('localhost', `/client/v4${path}`, { method, headers, ...(body && { body }) })
}

/** Of problem JSON or Cloudflare's envelope. */
function codeOf(text: string): string {
  return /"(?:error_)?code":"(\w+)"/.exec(text)?.[1] ?? text.slice(0, 200)
}

describe('the processes', () => {
  test('are one for state, one for objects and two edges, each of its own', () => {
    const pids = platform.processes()
    expect(Object.keys(pids).sort()).toEqual(['edge-0', 'edge-1', 'objects-0', 'state'])
    expect(new Set(Object.values(pids)).size).toBe(4)
  })
})

describe('after a deploy is acknowledged', () => {
  test('every edge answers the new version, at the first request', async () => {
    for (let n = 0; n < DEPLOYS; n++) {
      await platform.upload('everywhere', answering(`version ${n}`))
      expect(await askAll('everywhere')).toEqual(edges.map(() => `version ${n}`))
    }
  })

  test('and so it is after a rollback', async () => {
    const versions: string[] = []
    for (const text of ['one', 'two']) {
      await platform.upload('back', answering(text))
      const path = '$A/workers/scripts/back/deployments'
      const { result } = await platform.api<{ deployments: { versions: { version_id: string }[] }[] }>(
        'GET',
        path,
      )
      versions.push(result.deployments[0]?.versions[0]?.version_id ?? '')
    }
    for (let n = 0; n < DEPLOYS; n++) {
      const body = { strategy: 'percentage', versions: [{ version_id: versions[n % 2], percentage: 100 }] }
      const { success } = await platform.api('POST', '$A/workers/scripts/back/deployments', body)
      expect(success).toBe(true)
      expect(await askAll('back')).toEqual(edges.map(() => (n % 2 ? 'two' : 'one')))
    }
  })

  test('and after a script is deleted no edge answers it', async () => {
    await platform.upload('gone', answering('still here'))
    expect(await askAll('gone')).toEqual(edges.map(() => 'still here'))
    expect((await platform.api('DELETE', '$A/workers/scripts/gone')).success).toBe(true)
    for (const answer of await askAll('gone')) expect(answer).toContain('ERR_ROUTE_NOT_FOUND')
  })

  test.each(['edge-0', 'edge-1'])('also right after %s was started anew', async edge => {
    for (let n = 0; n < 3; n++) {
      await restart(edge)
      await platform.upload('everywhere', answering(`after start ${n} of ${edge}`))
      expect(await askAll('everywhere')).toEqual(edges.map(() => `after start ${n} of ${edge}`))
    }
  })

  test.each(['edge-0', 'edge-1'])('also while %s is starting', async edge => {
    kill(edge)
    await platform.upload('everywhere', answering(`while ${edge} is starting`))
    await until(`${edge} answers`, async () => (await callEdge(platform, edge, 'everywhere')).status === 200)
    expect(await askAll('everywhere')).toEqual(edges.map(() => `while ${edge} is starting`))
  })

  test('an edge that the push did not reach answers it a little later', async () => {
    await platform.upload('lost', answering('before'))
    // State keeps its connections: this edge is one that it has none to.
    await restart('edge-1')
    expect(await askAll('lost')).toEqual(['before', 'before'])
    const socket = join(platform.dataDir, 'run/edge-1.rpc')
    renameSync(socket, `${socket}.away`)
    try {
      expect((await deployThrough('edge-1', 'lost', 'after')).status).toBe(200)
      expect(await askAll('lost')).toEqual(['after', 'before'])
      const isCurrent = async () => (await callEdge(platform, 'edge-1', 'lost')).text === 'after'
      expect(await until('edge-1 is up to date', isCurrent)).toBeLessThan(LOST_PUSH_MS)
    } finally {
      renameSync(`${socket}.away`, socket)
    }
  })
})

describe('while an edge is away', () => {
  test.each([
    ['edge-0', 'edge-1'],
    ['edge-1', 'edge-0'],
  ])('%s, the other takes deploys', async (gone, other) => {
    await withoutSupervisor(async () => {
      kill(gone)
      const { status, text } = await deployThrough(other, 'everywhere', `without ${gone}`)
      expect(status, text).toBe(200)
      expect((await callEdge(platform, other, 'everywhere')).text).toBe(`without ${gone}`)
    })
    expect(await askAll('everywhere')).toEqual(edges.map(() => `without ${gone}`))
  })
})

describe('while state is away', () => {
  const NAMESPACE = { type: 'kv_namespace', name: 'KV', namespace_id: 'a11ce000000000000000000000000000' }
  const STORE = `export default {
    async fetch(request, env) {
      try {
        if (new URL(request.url).pathname === '/put') await env.KV.put('key', 'value')
        return new Response(await env.KV.get('key'))
      } catch (error) {
        return new Response(error.message, { status: 503 })
      }
    },
  }`
  const valuesOf = () =>
    `/accounts/${platform.accountId}/storage/kv/namespaces/${NAMESPACE.namespace_id}/values`
  /** Too large to be read ahead: its first request after a start reads the code store. */
  const large = (text: string) => `${answering(text)}\n// ${'-'.repeat(300 * 1024)}`

  beforeAll(async () => {
    await platform.upload('warm', answering('warm'))
    await platform.upload('store', STORE, { bindings: [NAMESPACE] })
    expect(await askAll('warm')).toEqual(['warm', 'warm'])
    expect(await askAll('store', '/put')).toEqual(['value', 'value'])
  })

  test.each([
    ['killed', 'SIGKILL'],
    ['stopped', 'SIGSTOP'],
  ] as const)('%s, edges go on serving', async (_, signal) => {
    const before = platform.processes()
    await withoutSupervisor(async () => {
      kill('state', signal)
      for (let n = 0; n < 100; n++) expect(await askAll('warm')).toEqual(['warm', 'warm'])
      if (signal === 'SIGSTOP') kill('state', 'SIGCONT')
    })
    const after = platform.processes()
    for (const edge of edges) expect(after[edge], edge).toBe(before[edge])
  })

  test('what needs it waits, and is answered when state is back', async () => {
    await platform.upload('large', large('large'))
    await restart('edge-0')
    kill('state')
    const answers = await Promise.all([
      callApi('GET', '/accounts'),
      callApi('PUT', `${valuesOf()}/k`, 'v'),
      callEdge(platform, 'edge-0', 'large'),
      callEdge(platform, 'edge-1', 'store'),
      callEdge(platform, 'edge-0', 'store', '/put'),
    ])
    expect(answers.map(({ status, text }) => `${status} ${text}`)).toEqual([
      expect.stringMatching(/^200 .*"success":true/s),
      expect.stringMatching(/^200 .*"success":true/s),
      '200 large',
      '200 value',
      '200 value',
    ])
  })

  test('longer than two seconds, what needs it is refused with ERR_STATE_UNAVAILABLE and Retry-After', async () => {
    await platform.upload('large', large('larger'))
    await restart('edge-0')
    expect(await askAll('store')).toEqual(['value', 'value'])
    await withoutSupervisor(async () => {
      kill('state')
      const answers = await Promise.all([
        callApi('GET', '/accounts'),
        callApi('PUT', `${valuesOf()}/k`, 'v'),
        callEdge(platform, 'edge-0', 'large'),
        callEdge(platform, 'edge-1', 'store'),
        callEdge(platform, 'edge-0', 'store', '/put'),
      ])
      expect(answers.map(({ status, text, retryAfter }) => [status, codeOf(text), retryAfter])).toEqual([
        ...Array(3).fill([503, 'ERR_STATE_UNAVAILABLE', '1']),
        // Functions meet the words of KV's client, and answer as they please.
        [503, 'KV GET failed: 503 Service Unavailable', undefined],
        [503, 'KV PUT failed: 503 Service Unavailable', undefined],
      ])
      for (const { ms } of answers) {
        expect(ms).toBeGreaterThan(1900)
        expect(ms).toBeLessThan(4000)
      }
    })
    // Whatever could not load is loaded now.
    expect(await askAll('large')).toEqual(['larger', 'larger'])
    expect(await askAll('store', '/put')).toEqual(['value', 'value'])
  })
})

describe('SKERRY_PROCESSES=1', () => {
  test('is one process; killed, it is back with all that was acknowledged', async () => {
    const small = await startPlatform('start', { env: { SKERRY_PROCESSES: '1' } })
    try {
      await small.upload('alone', answering('alone'))
      expect(await small.read('alone')).toBe('alone')
      expect(Object.keys(small.processes())).toEqual(['skerry'])
      await small.upload('alone', answering('acknowledged'))
      process.kill(small.processes().skerry ?? Number.NaN, 'SIGKILL')
      const caller = new Caller({ port: small.port }, { keepAlive: false })
      const isBack = async () => (await caller.call(`alone.localhost:${small.port}`)).text === 'acknowledged'
      expect(await until('it answers', isBack)).toBeLessThan(2000)
    } finally {
      await small.stop()
    }
  })
})
