import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { callEdge, edgesOf, until } from './support/edges.ts'
import { type RunningPlatform, startPlatform } from './support/platform.ts'
import { answering } from './support/project.ts'

const SOURCE = `
import { DurableObject } from 'cloudflare:workers'
export class Counter extends DurableObject {
  async increment() {
    const count = ((await this.ctx.storage.get('count')) ?? 0) + 1
    await this.ctx.storage.put('count', count)
    return count
  }
  count() { return this.ctx.storage.get('count') }
  setAlarm() { this.ctx.storage.setAlarm(Date.now() + 700) }
  alarm() { return this.ctx.storage.put('fired', true) }
  fired() { return this.ctx.storage.get('fired') }
  loop() { for (;;); }
}
export class Old {
  constructor(state) { this.storage = state.storage }
  async fetch(request) {
    if (request.url.endsWith('/setAlarm')) await this.storage.setAlarm(Date.now() + 700)
    return Response.json((await this.storage.get('fired')) ?? null)
  }
  alarm({ retryCount }) { return this.storage.put('fired', { retryCount }) }
}
export default {
  async fetch(request, env) {
    const [, name, method] = new URL(request.url).pathname.split('/')
    try {
      if (name === 'old') return await env.OLD.getByName(name).fetch(request)
      return Response.json((await env.COUNTER.getByName(name)[method]()) ?? null)
    } catch ({ message, retryable }) {
      return Response.json({ message, retryable }, { status: 500 })
    }
  },
}`
const METADATA = {
  bindings: [
    { type: 'durable_object_namespace', name: 'COUNTER', class_name: 'Counter' },
    { type: 'durable_object_namespace', name: 'OLD', class_name: 'Old' },
  ],
  migrations: { new_tag: 'v1', steps: [{ new_sqlite_classes: ['Counter', 'Old'] }] },
}

let platform: RunningPlatform

beforeAll(async () => {
  platform = await startPlatform('start')
  for (const script of ['counters', 'loops']) await platform.upload(script, SOURCE, METADATA)
  await platform.upload('neighbour', answering('here'))
})
afterAll(() => platform?.stop())

async function ask(script: string, path: string): Promise<{ status: number; value: unknown }> {
  const response = await platform.call(script, path)
  return { status: response.status, value: await response.json() }
}

function objectsPid(): number | undefined {
  return platform.processes()['objects-0']
}

test('when the objects process is killed, no acknowledged write is lost, and alarms fire', async () => {
  const names = Array.from({ length: 10 }, (_, i) => `killed-${i}`)
  const acknowledged = new Map<string, number>()
  let isOver = false
  const calls = names.map(async name => {
    while (!isOver) {
      const { status, value } = await ask('counters', `/${name}/increment`)
      if (status === 200) acknowledged.set(name, Number(value))
    }
  })
  for (const name of names)
    expect(await ask('counters', `/alarm-${name}/setAlarm`)).toMatchObject({ status: 200 })
  for (let kill = 0; kill < 3; kill++) {
    const before = objectsPid()
    const held = acknowledged.get('killed-0') ?? 0
    await until('calls are answered', async () => (acknowledged.get('killed-0') ?? 0) > held)
    process.kill(before ?? Number.NaN, 'SIGKILL')
    await until('there is another process', async () => objectsPid() !== before && objectsPid() !== undefined)
  }
  isOver = true
  await Promise.all(calls)
  for (const name of names) {
    const { value } = await ask('counters', `/${name}/count`)
    const known = acknowledged.get(name) ?? 0
    expect(known).toBeGreaterThan(0)
    // One call at a time: at most one a kill was written without an answer.
    expect(Number(value)).toBeGreaterThanOrEqual(known)
    expect(Number(value)).toBeLessThanOrEqual(known + 3)
    await until('its alarm fired', async () => (await ask('counters', `/alarm-${name}/fired`)).value === true)
  }
})

test('the alarm of an object without RPC starts it in the new process, at the first try', async () => {
  expect(await ask('counters', '/old/setAlarm')).toEqual({ status: 200, value: null })
  const before = objectsPid()
  process.kill(before ?? Number.NaN, 'SIGKILL')
  await until('there is another process', async () => objectsPid() !== before && objectsPid() !== undefined)
  // Whoever called it now would start it before its alarm does.
  await delay(1500)
  let look = { status: 0, value: null as unknown }
  await until('its alarm fired', async () => {
    look = await ask('counters', '/old/look')
    return look.status === 200 && look.value !== null
  })
  expect(look.value).toEqual({ retryCount: 0 })
})

test('a call in flight when the process ends fails as retryable; in each edge, the next waits for the new process', async () => {
  const looping = ask('loops', '/first/loop')
  expect(await looping).toEqual({
    status: 500,
    value: { message: 'Network connection lost.', retryable: true },
  })
  let failed = 1
  while ((await ask('counters', '/after/increment')).status !== 200) failed++
  expect(failed).toBeLessThanOrEqual(edgesOf(platform).length)
})

test('edges notice within a second that the process is another one, before a call would fail', async () => {
  const edges = edgesOf(platform)
  const callAll = () =>
    Promise.all(edges.map(edge => callEdge(platform, edge, 'counters', '/idle/increment')))
  await until('each edge has reached it', async () => (await callAll()).every(({ status }) => status === 200))
  const before = objectsPid()
  process.kill(before ?? Number.NaN, 'SIGKILL')
  await until('there is another process', async () => objectsPid() !== before && objectsPid() !== undefined)
  // They look twice a second; nothing tells when they have.
  await delay(1000)
  expect((await callAll()).map(({ status }) => status)).toEqual(edges.map(() => 200))
})

test('an object that does not end is ended and struck, then in quarantine; functions are served meanwhile', async () => {
  const strikes = async () => {
    const path = `/accounts/${platform.accountId}/scripts/loops`
    return (await platform.v1<{ strikes: { kind: string }[] }>('GET', path)).body.strikes
  }
  await until('it was struck three times', async () => {
    const looping = ask('loops', '/first/loop')
    expect(await platform.read('neighbour')).toBe('here')
    await looping
    return (await strikes()).length >= 3
  })
  expect((await strikes()).map(({ kind }) => kind)).toEqual(['cpu', 'cpu', 'cpu'])
  const { status, value } = await ask('loops', '/first/count')
  expect(status).toBe(503)
  expect(value).toMatchObject({ code: 'ERR_FUNCTION_QUARANTINED' })
  await until('other objects answer', async () => (await ask('counters', '/after/increment')).status === 200)
})
