import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ProcessStatus } from '../../src/core/processes.ts'
import { type RunningPlatform, startPlatform } from './support/platform.ts'
import { createWorker } from './support/project.ts'

const CODE = `export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url)
    if (pathname === '/loop') for (;;);
    if (pathname === '/count') {
      const count = Number(await env.NOTES.get('count')) + 1
      await env.NOTES.put('count', String(count))
      return new Response(String(count))
    }
    return new Response('hello')
  },
}`

describe('SKERRY_PROCESSES=1', () => {
  let platform: RunningPlatform

  beforeAll(async () => {
    platform = await startPlatform('start', { env: { SKERRY_PROCESSES: '1' } })
  })
  afterAll(() => platform?.stop())

  const list = async () =>
    (await platform.v1<{ processes: ProcessStatus[] }>('GET', '/processes')).body.processes

  test('runs every role in one process', async () => {
    const { dir } = createWorker('solo', CODE, { kv_namespaces: [{ binding: 'NOTES', id: 'a'.repeat(32) }] })
    const { code, stderr } = await platform.wrangler(['deploy'], { cwd: dir })
    expect(code, stderr).toBe(0)
    await expect.poll(list).toMatchObject([{ name: 'skerry', role: 'all', state: 'ready', restarts: 0 }])
    expect(await platform.read('solo')).toBe('hello')
  })

  test('contains a function that loops: it is told and struck, and what was stored is there', async () => {
    expect(await platform.read('solo', '/count')).toBe('1')
    const response = await platform.call('solo', '/loop')
    expect([response.status, await response.json()]).toEqual([
      503,
      expect.objectContaining({ code: 'ERR_FUNCTION_CPU' }),
    ])
    // Connections made meanwhile wait in the backlog.
    expect(await platform.read('solo', '/count')).toBe('2')
    await expect.poll(list).toMatchObject([{ restarts: 1, last_end: { reason: /"solo"/ } }])
    const path = `/accounts/${platform.accountId}/scripts/solo`
    await expect
      .poll(async () => (await platform.v1<{ strikes: { kind: string }[] }>('GET', path)).body.strikes)
      .toMatchObject([{ kind: 'cpu' }])
  })

  test('restarts on order; new connections wait, and what was stored is there', async () => {
    const [{ pid } = { pid: null }] = await list()
    const stop = new AbortController()
    const answers: string[] = []
    const caller = (async () => {
      // A connection that is accepted at the last moment may break: there is no other process to take it.
      while (!stop.signal.aborted) answers.push(await platform.read('solo').catch(() => 'broken'))
    })()
    const { code, stderr } = await platform.skerry(['restart', '--json'])
    expect(code, stderr).toBe(0)
    await delay(100)
    stop.abort()
    await caller
    expect(answers.filter(answer => answer !== 'broken')).toEqual(
      answers.filter(answer => answer === 'hello'),
    )
    expect(answers.filter(answer => answer === 'broken').length).toBeLessThanOrEqual(1)
    expect((await list())[0]?.pid).not.toBe(pid)
    expect(await platform.read('solo', '/count')).toBe('3')
  })
})
