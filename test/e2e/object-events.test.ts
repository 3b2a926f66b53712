import { describe, expect, test } from 'vitest'
import { openHosts } from './support/hosts.ts'

const hosts = await openHosts('object-events')

/** Keeps the traces that it gets, and shows them in the order of their times. */
const CONSUMER = `
  export default {
    async tail(items, env) {
      for (const item of items) await env.KEPT.put(crypto.randomUUID(), JSON.stringify(item))
    },
    async fetch(request, env) {
      const { keys } = await env.KEPT.list()
      const traces = await Promise.all(keys.map(({ name }) => env.KEPT.get(name, 'json')))
      return Response.json(traces.sort((a, b) => a.eventTimestamp - b.eventTimestamp))
    },
  }`

/** A class with RPC, and one of the old style: both set an alarm when they are called. */
const PRODUCER = `
  import { DurableObject } from 'cloudflare:workers'
  export class Room extends DurableObject {
    async visit() {
      console.log('a visit')
      await this.ctx.storage.setAlarm(Date.now() + 20)
    }
    alarm() { console.log('an alarm') }
  }
  export class Old {
    constructor(state) { this.state = state }
    async fetch(request) {
      console.log('a request')
      await this.state.storage.setAlarm(Date.now() + 20)
      return new Response('ok')
    }
    alarm() { throw new RangeError('failed in an alarm') }
  }
  export default {
    async fetch(request, env) {
      if (new URL(request.url).pathname === '/old') return env.OLD.getByName('a').fetch('http://old/')
      await env.ROOM.getByName('a').visit()
      return new Response('ok')
    },
  }`
const METADATA = {
  bindings: [
    { type: 'durable_object_namespace', name: 'ROOM', class_name: 'Room' },
    { type: 'durable_object_namespace', name: 'OLD', class_name: 'Old' },
  ],
  migrations: { new_tag: 'v1', steps: [{ new_sqlite_classes: ['Room', 'Old'] }] },
  tail_consumers: [{ service: 'watcher' }],
}

interface Trace {
  readonly entrypoint?: string
  readonly outcome: string
  readonly event: Readonly<Record<string, unknown>> | null
  readonly logs: readonly { readonly message: readonly unknown[] }[]
  readonly exceptions: readonly { readonly name: string; readonly message: string }[]
}

describe.each(hosts)("a tail of an object's events on `npm $kind`", platform => {
  /** The traces of an entrypoint, once there are so many: what its platform does for itself is in none. */
  const traces = async (entrypoint: string, count: number) => {
    const read = async () => {
      const all = JSON.parse(await platform.read('watcher', '/')) as Trace[]
      return all.filter(trace => trace.entrypoint === entrypoint)
    }
    await expect.poll(async () => (await read()).length, { timeout: 10_000 }).toBeGreaterThanOrEqual(count)
    return read()
  }

  test('shows calls as calls, requests as requests, and alarms as alarms, with what they logged', async () => {
    const kept = { type: 'kv_namespace', name: 'KEPT', namespace_id: 'kept' }
    await platform.upload('watcher', CONSUMER, { bindings: [kept] })
    await platform.upload('watched', PRODUCER, METADATA)
    const beforeMs = Date.now()
    await platform.read('watched', '/')
    await platform.read('watched', '/old')

    const [visit, alarm] = await traces('Room', 2)
    expect(visit).toMatchObject({
      ...{ outcome: 'ok', scriptName: 'watched', executionModel: 'durableObject' },
      ...{ event: { rpcMethod: 'visit' }, logs: [{ message: ['a visit'] }] },
    })
    expect(alarm).toMatchObject({ outcome: 'ok', logs: [{ message: ['an alarm'] }] })
    expect(Object.keys(alarm?.event ?? {})).toEqual(['scheduledTime'])
    expect(Date.parse(String(alarm?.event?.scheduledTime))).toBeGreaterThan(beforeMs)

    const [request, failed] = await traces('Old', 2)
    expect(request).toMatchObject({
      ...{ event: { request: { url: 'http://old/' } }, logs: [{ message: ['a request'] }] },
    })
    expect(failed).toMatchObject({
      outcome: 'exception',
      exceptions: [{ name: 'RangeError', message: 'failed in an alarm' }],
    })
    expect(Object.keys(failed?.event ?? {})).toEqual(['scheduledTime'])
    expect((await traces('Room', 2)).length).toBe(2)
  })
})
