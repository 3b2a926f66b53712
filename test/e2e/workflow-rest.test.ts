import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { openHosts } from './support/hosts.ts'

const hosts = await openHosts('workflow-rest')

/** Counts its runs, its steps and their ends, and ticks beside the steps that wait: in an object, as edges are several. */
const SOURCE = `
import { DurableObject, WorkflowEntrypoint } from 'cloudflare:workers'
export class Seen extends DurableObject {
  #seen = { runs: 0, steps: 0, ticks: 0, ends: 0 }
  count(what) { this.#seen[what]++ }
  read() { return this.#seen }
}
export class Flow extends WorkflowEntrypoint {
  async run(event, step) {
    const seen = this.env.SEEN.getByName('all')
    await seen.count('runs')
    await step.do('once', () => seen.count('steps'))
    const ticking = setInterval(() => seen.count('ticks'), 50)
    try {
      const event = step.waitForEvent('go', { type: 'go', timeout: '1 hour' })
      const { payload } = await Promise.race([event, step.sleep('nap', '1 minute')])
      return payload
    } finally {
      clearInterval(ticking)
      await seen.count('ends')
    }
  }
}
export default {
  async fetch(request, env) {
    const [, verb, id] = new URL(request.url).pathname.split('/')
    if (verb === 'seen') return Response.json(await env.SEEN.getByName('all').read())
    if (verb === 'create') return Response.json((await env.FLOW.create({ id })).id)
    const instance = await env.FLOW.get(id)
    if (verb === 'go') await instance.sendEvent({ type: 'go', payload: 'gone' })
    return Response.json(await instance.status())
  },
}`
const METADATA = {
  bindings: [
    { type: 'workflow', name: 'FLOW', workflow_name: 'resting', class_name: 'Flow' },
    { type: 'durable_object_namespace', name: 'SEEN', class_name: 'Seen' },
  ],
  migrations: { new_tag: 'v1', steps: [{ new_sqlite_classes: ['Seen'] }] },
}

interface Seen {
  readonly runs: number
  readonly steps: number
  readonly ticks: number
  readonly ends: number
}

describe.each(hosts)('an instance that only waits on `npm $kind`', platform => {
  const read = async <T>(path: string) => JSON.parse(await platform.read('resting', path)) as T
  const status = () => read<{ status: string; output: unknown }>('/status/one')
  const seen = () => read<Seen>('/seen')
  const countTicksIn = async (ms: number) => {
    const { ticks } = await seen()
    await delay(ms)
    return (await seen()).ticks - ticks
  }

  test('rests: its code has ended without being told, and begins again for the event', async () => {
    await platform.upload('resting', SOURCE, METADATA)
    await read('/create/one')
    await expect.poll(async () => (await seen()).ticks, { timeout: 5000 }).toBeGreaterThan(0)
    await expect.poll(() => countTicksIn(500), { timeout: 15_000 }).toBe(0)
    expect(await status()).toMatchObject({ status: 'waiting' })
    expect(await seen()).toMatchObject({ runs: 1, steps: 1, ends: 0 })

    await read('/go/one')
    await expect.poll(status, { timeout: 5000 }).toMatchObject({ status: 'complete', output: 'gone' })
    expect(await seen()).toMatchObject({ runs: 2, steps: 1, ends: 1 })
  })
})
