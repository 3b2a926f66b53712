import { describe, expect, test } from 'vitest'
import { openHosts } from './support/hosts.ts'
import { createProject } from './support/project.ts'

const hosts = await openHosts('tail-consumers')

/** Keeps the traces that it gets, and shows them. */
const CONSUMER = `
  const traces = []
  export default {
    async tail(events, env, ctx) {
      for (const event of events) {
        const whole = event.event?.request?.getUnredacted?.()
        await env.KEPT.put(String(Date.now()) + Math.random(), JSON.stringify({ ...event, whole }))
      }
    },
    async fetch(request, env) {
      const { keys } = await env.KEPT.list()
      return Response.json(await Promise.all(keys.map(({ name }) => env.KEPT.get(name, 'json'))))
    },
  }`

const PRODUCER = `export default {
  fetch(request) {
    const { pathname } = new URL(request.url)
    console.log('asked for', pathname, { deep: [1] })
    if (pathname === '/throw') throw new TypeError('out of words')
    return new Response('ok', { status: 418 })
  },
}`

interface Trace {
  readonly scriptName: string
  readonly outcome: string
  readonly event: { readonly request?: { readonly url: string; readonly headers: Record<string, string> } }
  readonly whole?: { readonly headers: Record<string, string> }
}

describe.each(hosts)('tail consumers on `npm $kind`', platform => {
  const traces = async () => JSON.parse(await platform.read('watcher', '/')) as Trace[]
  const kept = { type: 'kv_namespace', name: 'KEPT', namespace_id: 'kept' }

  test('a consumer named in wrangler.json gets the traces of the script, until it is taken out', async () => {
    await platform.upload('watcher', CONSUMER, { bindings: [kept] })
    const project = createProject({ 'index.js': PRODUCER })
    const deploy = async (config: object) => {
      project.write({
        'wrangler.json': { name: 'watched', main: 'index.js', compatibility_date: '2026-11-01', ...config },
      })
      const finished = await platform.wrangler(['deploy'], { cwd: project.dir })
      expect(finished.code, finished.all).toBe(0)
    }
    await deploy({ tail_consumers: [{ service: 'watcher' }] })
    const { result } = await platform.api('GET', '$A/workers/scripts/watched/script-settings')
    expect(result).toMatchObject({ tail_consumers: [{ service: 'watcher' }] })
    const producers = await platform.api('GET', '$A/workers/tails/by-consumer/watcher')
    expect(producers.result).toEqual([{ service: 'watched', environment: 'production' }])

    await platform.call('watched', '/a?token=1', { headers: { authorization: 'Bearer secret' } })
    await platform.call('watched', '/throw')
    await expect.poll(async () => (await traces()).length, { timeout: 10_000 }).toBe(2)
    const [first, second] = await traces()
    expect(first).toMatchObject({
      scriptName: 'watched',
      outcome: 'ok',
      eventTimestamp: expect.any(Number),
      scriptVersion: { id: expect.stringMatching(/^[0-9a-f-]{36}$/) },
      executionModel: 'stateless',
      truncated: false,
      diagnosticsChannelEvents: [],
      exceptions: [],
      event: { request: { method: 'GET' }, response: { status: 418 } },
      logs: [{ level: 'log', message: ['asked for', '/a', { deep: [1] }], timestamp: expect.any(Number) }],
    })
    expect(first?.event.request?.headers.authorization).toBe('REDACTED')
    expect(first?.whole?.headers.authorization).toBe('Bearer secret')
    expect(second).toMatchObject({
      outcome: 'exception',
      exceptions: [
        { name: 'TypeError', message: 'out of words', stack: expect.stringContaining('index.js') },
      ],
    })

    const inUse = await platform.api('DELETE', '$A/workers/services/watcher')
    expect(inUse.errors[0]?.error_code).toBe('ERR_SCRIPT_REFERENCED')
    await deploy({ tail_consumers: [] })
    await platform.call('watched', '/unseen')
    await platform.upload('fence', PRODUCER, { tail_consumers: [{ service: 'watcher' }] })
    await platform.call('fence', '/')
    await expect.poll(async () => (await traces()).length, { timeout: 10_000 }).toBe(3)
    expect((await traces()).map(({ scriptName }) => scriptName)).toEqual(['watched', 'watched', 'fence'])
    await platform.api('DELETE', '$A/workers/services/fence')
    expect((await platform.api('DELETE', '$A/workers/services/watcher')).success).toBe(true)
  })

  test.each([
    ['no script', 'nobody', 'does not exist'],
    ['a script without tail()', 'deaf', 'has no tail() handler'],
    ['the script itself', 'talker', 'is the script itself'],
  ])('%s is refused as a consumer', async (_, service, problem) => {
    await platform.upload('deaf', PRODUCER)
    await platform.upload('talker', PRODUCER)
    const settings = { tail_consumers: [{ service }] }
    const answer = await platform.api('PATCH', '$A/workers/scripts/talker/script-settings', settings)
    expect(answer.errors[0]).toMatchObject({ error_code: 'ERR_TAIL_CONSUMER' })
    expect(answer.errors[0]?.message).toContain(problem)
    await expect(platform.upload('talker', PRODUCER, settings)).rejects.toThrow(problem)
  })

  test('a consumer gets the traces of batches of a queue', async () => {
    await platform.upload('audience', CONSUMER, { bindings: [{ ...kept, namespace_id: 'audience' }] })
    const consumer = "export default { queue(batch) { console.log('got', batch.messages.length) } }"
    await platform.upload('consumer', consumer, { tail_consumers: [{ service: 'audience' }] })
    await platform.api('POST', '$A/queues', { queue_name: 'jobs' })
    const settings = { max_wait_time_ms: 0 }
    await platform.api('POST', '$A/queues/jobs/consumers', { script_name: 'consumer', settings })
    await platform.api('POST', '$A/queues/jobs/messages/batch', { messages: [{ body: 1 }, { body: 2 }] })
    await expect
      .poll(async () => JSON.parse(await platform.read('audience', '/')), { timeout: 10_000 })
      .toMatchObject([
        {
          scriptName: 'consumer',
          outcome: 'ok',
          event: { queue: 'jobs', batchSize: 2 },
          logs: [{ message: ['got', 2] }],
        },
      ])
  })

  test('two consumers of each other get no traces of their own tail()', async () => {
    await platform.upload('one', CONSUMER, { bindings: [{ ...kept, namespace_id: 'one' }] })
    const two = { bindings: [{ ...kept, namespace_id: 'two' }], tail_consumers: [{ service: 'one' }] }
    await platform.upload('two', CONSUMER, two)
    const one = { tail_consumers: [{ service: 'two' }] }
    await platform.api('PATCH', '$A/workers/scripts/one/script-settings', one)
    await platform.read('one', '/')
    const seen = async () => (JSON.parse(await platform.read('two', '/')) as Trace[]).length
    await expect.poll(seen, { timeout: 10_000 }).toBeGreaterThanOrEqual(1)
    const events = JSON.parse(await platform.read('two', '/')) as Trace[]
    expect(events.every(({ event }) => event.request !== undefined)).toBe(true)
  })
})
