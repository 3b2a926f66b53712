import { describe, expect, test } from 'vitest'
import { openFirstHost } from './support/hosts.ts'
import { createProject, createWorker } from './support/project.ts'

const hosts = await openFirstHost('queue')

interface QueueBody {
  readonly queue_id: string
  readonly queue_name: string
  readonly settings: Readonly<Record<string, unknown>>
  readonly consumers: readonly { consumer_id: string; type: string; script?: string; settings: object }[]
}

/** Sends what it is asked to, and tells of what it got. */
const SOURCE = `let got = []
export default {
  async fetch(request, env) {
    if (request.method === 'GET') return Response.json(got)
    const { body, options } = await request.json()
    return Response.json(await env.JOBS.send(body, options))
  },
  async queue(batch) {
    for (const message of batch.messages) {
      got.push([batch.queue, message.body, message.attempts])
      if (message.body.poison && batch.queue !== 'dead-jobs') message.retry()
    }
  },
}`

describe.each(hosts)('wrangler queues on `npm $kind`', platform => {
  const run = async (cwd: string, ...args: string[]) => {
    const finished = await platform.wrangler(args, { cwd })
    expect(finished.code, finished.all).toBe(0)
    return finished.stdout
  }
  const find = async (name: string) =>
    (await platform.api<QueueBody[]>('GET', `$A/queues?page=1&name=${name}`)).result[0]
  const skerry = async (...args: string[]) => {
    const finished = await platform.skerry(['queue', ...args, '--json'])
    expect(finished.code, finished.all).toBe(0)
    return JSON.parse(finished.stdout)
  }

  test('create, info, update, pause, purge and delete', async () => {
    const { dir } = createProject({})
    expect(await run(dir, 'queues', 'create', 'by-hand', '--delivery-delay-secs', '5')).toContain('by-hand')
    const again = await platform.api('POST', '$A/queues', { queue_name: 'by-hand' })
    expect(again.errors).toMatchObject([{ code: 11009 }])
    const [list] = await Promise.all([
      run(dir, 'queues', 'list'),
      run(dir, 'queues', 'update', 'by-hand', '--message-retention-period-secs', '600'),
    ])
    expect(list).toContain('by-hand')
    await run(dir, 'queues', 'pause-delivery', 'by-hand')
    expect((await find('by-hand'))?.settings).toEqual({
      delivery_delay: 5,
      delivery_paused: true,
      message_retention_period: 600,
    })
    await run(dir, 'queues', 'resume-delivery', 'by-hand')
    await platform.api('POST', `$A/queues/by-hand/messages`, { body: { n: 1 } })
    await run(dir, 'queues', 'purge', 'by-hand', '--force')
    expect((await platform.api('GET', '$A/queues/by-hand/metrics')).result).toMatchObject({
      backlog_count: 0,
    })
    await run(dir, 'queues', 'delete', 'by-hand')
    expect(await find('by-hand')).toBeUndefined()
  })

  test('a deploy makes the queues it names; a question alone makes none', async () => {
    const { dir } = createProject({})
    const info = await platform.wrangler(['queues', 'info', 'jobs'], { cwd: dir })
    expect(info.all).toContain('Queue "jobs" does not exist')
    expect(await find('jobs')).toBeUndefined()

    const project = createWorker('worker', SOURCE, {
      queues: {
        producers: [{ binding: 'JOBS', queue: 'jobs' }],
        consumers: [
          {
            queue: 'jobs',
            max_batch_size: 5,
            max_batch_timeout: 0,
            max_retries: 1,
            dead_letter_queue: 'dead-jobs',
          },
        ],
      },
    })
    expect(await run(project.dir, 'deploy')).toContain('Consumer for jobs')
    // Again: the consumer is changed, not added.
    await run(project.dir, 'deploy')
    const [consumer, ...others] = (await find('jobs'))?.consumers ?? []
    expect(others).toEqual([])
    expect(consumer).toMatchObject({
      type: 'worker',
      script: 'worker',
      dead_letter_queue: 'dead-jobs',
      settings: { batch_size: 5, max_wait_time_ms: 0, max_retries: 1 },
    })
    expect(await run(dir, 'queues', 'info', 'jobs')).toContain('worker:worker')
  })

  test('messages reach the consumer; what fails too often is a dead letter, and is sent back', async () => {
    const seen = async () => JSON.parse(await platform.read('worker', '/'))
    const send = (body: unknown, options?: object) =>
      platform.read('worker', '/', { method: 'POST', body: JSON.stringify({ body, options }) })
    expect(JSON.parse(await send({ n: 1 }))).toMatchObject({ metadata: { metrics: { backlogCount: 1 } } })
    await send({ n: 2 }, { contentType: 'v8' })
    await send({ poison: true })
    await expect.poll(async () => (await skerry('show', 'dead-jobs')).backlog_count).toBe(1)
    expect(await skerry('peek', 'dead-jobs')).toMatchObject([{ body: { poison: true }, source: 'jobs' }])
    expect(await skerry('redrive', 'dead-jobs')).toEqual({ redriven: 1 })
    await expect.poll(async () => (await skerry('show', 'dead-jobs')).backlog_count).toBe(1)
    expect(await skerry('purge', 'dead-jobs')).toEqual({ purged: 1 })
    expect((await skerry('list')).map(({ name }: { name: string }) => name)).toEqual(
      expect.arrayContaining(['jobs', 'dead-jobs']),
    )
    // With several processes, each saw a part.
    const some = await seen()
    expect(some.every(([queue]: [string]) => queue === 'jobs')).toBe(true)
  })

  test('consumer add and remove, by Worker and by HTTP', async () => {
    const { dir } = createProject({})
    await platform.upload('other', 'export default { queue() {} }')
    await platform.upload('deaf', 'export default { fetch() {} }')
    await platform.api('POST', '$A/queues', { queue_name: 'hand-made' })
    const add = (body: object) => platform.api('POST', '$A/queues/hand-made/consumers', body)
    expect((await add({ script_name: 'deaf' })).errors).toMatchObject([{ code: 11001 }])
    expect((await add({ script_name: 'absent' })).errors).toMatchObject([{ code: 10007 }])
    await run(dir, 'queues', 'consumer', 'add', 'hand-made', 'other', '--batch-size', '7')
    expect((await add({ type: 'http_pull' })).errors).toMatchObject([{ code: 11004 }])
    await run(dir, 'queues', 'consumer', 'remove', 'hand-made', 'other')
    await run(dir, 'queues', 'consumer', 'http', 'add', 'hand-made', '--visibility-timeout-secs', '30')
    expect((await find('hand-made'))?.consumers).toMatchObject([
      { type: 'http_pull', settings: { visibility_timeout_ms: 30_000 } },
    ])

    const path = '$A/queues/hand-made/messages'
    const batch = {
      messages: [
        { body: { a: 1 } },
        { body: 'text', content_type: 'text' },
        { body: 'AQI=', content_type: 'bytes' },
      ],
    }
    expect((await platform.api('POST', `${path}/batch`, batch)).result).toMatchObject({
      metadata: { metrics: { backlog_count: 3 } },
    })
    const pulled = await platform.api<{ messages: { body: string; lease_id: string }[] }>(
      'POST',
      `${path}/pull`,
      {},
    )
    expect(pulled.result).toMatchObject({
      message_backlog_count: 3,
      messages: [
        { body: btoa('{"a":1}'), attempts: 1, metadata: { 'CF-Content-Type': 'json' } },
        { body: 'text', attempts: 1, metadata: { 'CF-Content-Type': 'text' } },
        { body: 'AQI=', attempts: 1, metadata: { 'CF-Content-Type': 'bytes' } },
      ],
    })
    const [first, second] = pulled.result.messages
    const verdict = { acks: [{ lease_id: first?.lease_id }], retries: [{ lease_id: second?.lease_id }] }
    expect((await platform.api('POST', `${path}/ack`, verdict)).result).toEqual({
      ackCount: 1,
      retryCount: 1,
      warnings: {},
    })
    await run(dir, 'queues', 'consumer', 'http', 'remove', 'hand-made')
    const late = await platform.api('POST', `${path}/pull`, {})
    expect(late).toMatchObject({ status: 400, errors: [{ error_code: 'ERR_QUEUE_NO_PULL' }] })
  })

  test('a deleted script is the consumer of nothing', async () => {
    await platform.api('POST', '$A/queues', { queue_name: 'left' })
    await platform.upload('leaving', 'export default { queue() {} }')
    const consumer = { type: 'worker', script_name: 'leaving' }
    expect((await platform.api('POST', '$A/queues/left/consumers', consumer)).success).toBe(true)
    await platform.api('DELETE', '$A/workers/scripts/leaving')
    expect((await find('left'))?.consumers).toEqual([])
  })

  test("another account's queue does not exist", async () => {
    await platform.api('POST', '$A/queues', { queue_name: 'mine' })
    const id = (await find('mine'))?.queue_id
    const other = await platform.as('queue-other')
    for (const path of [`$A/queues/${id}`, '$A/queues/mine']) {
      expect(await other.api('GET', path)).toMatchObject({ status: 404, errors: [{ code: 11000 }] })
    }
    expect(await other.api('POST', `$A/queues/${id}/messages`, { body: 1 })).toMatchObject({ status: 404 })
    expect((await other.v1('GET', '$A/queues')).body).toEqual([])
    const viewer = await platform.createToken('viewer')
    for (const [method, path, body] of [
      ['POST', '$A/queues/mine/messages', { body: 1 }],
      ['POST', '$A/queues/mine/messages/pull', {}],
      ['POST', '$A/queues/mine/purge', { delete_messages_permanently: true }],
      ['DELETE', '$A/queues/mine', undefined],
    ] as const) {
      expect((await platform.api(method, path, body, viewer)).status).toBe(403)
    }
    const wrangler = { 'user-agent': 'wrangler/4.164.0' }
    await platform.api('GET', '$A/queues?name=by-viewer&page=1', undefined, viewer, wrangler)
    expect(await find('by-viewer')).toBeUndefined()
  })
})
