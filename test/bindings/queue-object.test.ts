import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { QueueStatus } from '../../bindings/queue/object.ts'
import type { PeekedMessage, PulledMessage } from '../../bindings/queue/pulled.ts'
import { bundleModule, startWorkerd, type Workerd } from '../support/workerd.ts'

/** `Queue` in real workerd, with an edge that notes its batches and ends them as it is told. */

interface Call {
  readonly script: string
  readonly queue: string
  readonly attempts: readonly number[]
  readonly bodies: readonly string[]
  readonly atMs: number
}

let code = ''
beforeAll(async () => {
  code = await bundleModule('test/worker/queue-host.ts')
})

let dataDir = ''
let workerd: Workerd
beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'queue-test-'))
  await start()
})
afterEach(async () => {
  await workerd.stop()
  rmSync(dataDir, { recursive: true, force: true })
})

async function start(): Promise<void> {
  workerd = await startWorkerd({
    modules: { 'worker.js': code },
    compatibilityFlags: ['experimental', 'service_binding_extra_handlers'],
    durableObjects: ['Queue', 'Account'],
    bindings: [
      { name: 'QUEUE', durableObjectNamespace: { className: 'Queue' } },
      { name: 'ACCOUNT', durableObjectNamespace: { className: 'Account' } },
    ],
    dataDir,
  })
}

async function call<T>(queue: string, method: string, ...args: unknown[]): Promise<T> {
  const answer = await workerd.fetch(`/object/${queue}/${method}`, {
    method: 'POST',
    body: JSON.stringify(args),
  })
  const { result, error } = (await answer.json()) as { result: T; error?: string }
  if (error !== undefined) throw new Error(error)
  return result
}

const send = (queue: string, ...bodies: string[]) =>
  call(
    queue,
    'send',
    bodies.map(body => ({ type: 'text', body })),
  )

async function consume(
  queue: string,
  settings: object = {},
  more: object = {},
): Promise<{ consumer_id: string }> {
  const defaults = {
    batch_size: 10,
    max_wait_time_ms: 0,
    max_retries: 3,
    retry_delay: 0,
    max_concurrency: null,
  }
  const consumer = { type: 'worker', script: `of-${queue}`, settings: { ...defaults, ...settings }, ...more }
  return call(queue, 'setConsumer', queue, consumer)
}

async function behave(queue: string, behaviour: object): Promise<void> {
  await workerd.fetch(`/behave/of-${queue}`, { method: 'POST', body: JSON.stringify(behaviour) })
}

async function calls(queue: string): Promise<Call[]> {
  const all = (await (await workerd.fetch('/calls')).json()) as Call[]
  return all.filter(call => call.queue === queue)
}

const show = (queue: string) => call<QueueStatus>(queue, 'show')
const backlog = async (queue: string) => (await show(queue)).metrics.backlogCount
const untilEmpty = (queue: string) =>
  expect.poll(() => backlog(queue), { interval: 10, timeout: 15_000 }).toBe(0)

describe('delivery', () => {
  test('waits for a full batch, or as long as the consumer wants', async () => {
    await consume('q', { batch_size: 3, max_wait_time_ms: 400 })
    const sentMs = Date.now()
    await send('q', 'a')
    await send('q', 'b', 'c')
    await send('q', 'd')
    await untilEmpty('q')
    const [full, rest] = await calls('q')
    expect(full?.bodies).toEqual(['a', 'b', 'c'])
    expect((full?.atMs ?? 0) - sentMs).toBeLessThan(300)
    expect(rest?.bodies).toEqual(['d'])
    expect((rest?.atMs ?? 0) - sentMs).toBeGreaterThanOrEqual(400)
  })

  test('a failure is tried again until the message is dead, and then goes to the other queue once', async () => {
    await behave('q', { outcome: 'exception', error: 'no' })
    await consume('q', { max_retries: 2 }, { dead_letter_queue: 'dead' })
    await send('q', 'a')
    await untilEmpty('q')
    expect((await calls('q')).map(({ attempts }) => attempts)).toEqual([[1], [2], [3]])
    await expect.poll(() => backlog('dead')).toBe(1)
    expect(await call<PeekedMessage[]>('dead', 'peek', 10)).toMatchObject([
      { body: 'a', attempts: 0, source: 'q', state: 'waiting' },
    ])
    expect(await show('q')).toMatchObject({ leaving: 0, last_failure: { outcome: 'exception', error: 'no' } })
  })

  test('without another queue, what failed too often is deleted', async () => {
    await behave('q', { outcome: 'exception' })
    await consume('q', { max_retries: 0 })
    await send('q', 'a')
    await untilEmpty('q')
    expect(await calls('q')).toHaveLength(1)
  })

  test('letters to a queue that is missing wait, and keep no others', async () => {
    await behave('q', { outcome: 'exception' })
    const { consumer_id } = await consume('q', { max_retries: 0 }, { dead_letter_queue: 'absent' })
    await send('q', 'a')
    await untilEmpty('q')
    await call('q', 'removeConsumer', consumer_id)
    await consume('q', { max_retries: 0 }, { dead_letter_queue: 'dead' })
    await send('q', 'b')
    await expect.poll(() => backlog('dead')).toBe(1)
    expect(await show('q')).toMatchObject({ leaving: 1 })
  })

  test('a batch that no edge ran does not count', async () => {
    await behave('q', { outcome: 'exceededCpu', skipped: true })
    await consume('q', { max_retries: 0 })
    await send('q', 'a')
    await expect.poll(async () => (await calls('q')).length).toBeGreaterThan(1)
    await behave('q', {})
    await untilEmpty('q')
    expect((await calls('q')).every(({ attempts }) => attempts[0] === 1)).toBe(true)
  })

  test('an edge that was lost counts', async () => {
    await behave('q', { rejects: true })
    await consume('q')
    await send('q', 'a')
    await expect.poll(async () => (await calls('q')).length).toBeGreaterThan(1)
    await behave('q', {})
    await untilEmpty('q')
    expect((await calls('q')).map(({ attempts }) => attempts[0])).toEqual(
      (await calls('q')).map((_, i) => i + 1),
    )
  })

  test('runs at most as many batches at once as the consumer allows', async () => {
    await behave('q', { delayMs: 100 })
    await consume('q', { batch_size: 1, max_concurrency: 1 })
    await send('q', 'a', 'b', 'c')
    await untilEmpty('q')
    const times = (await calls('q')).map(({ atMs }) => atMs)
    expect(times).toHaveLength(3)
    for (const [i, atMs] of times.entries()) {
      if (i > 0) expect(atMs - (times[i - 1] ?? 0)).toBeGreaterThanOrEqual(90)
    }
  })

  test('a slow consumer keeps no other queue waiting', async () => {
    await behave('slow', { delayMs: 3000 })
    await consume('slow')
    await consume('q')
    await send('slow', 'a')
    const sentMs = Date.now()
    await send('q', 'b')
    await untilEmpty('q')
    expect(Date.now() - sentMs).toBeLessThan(1500)
    expect(await backlog('slow')).toBe(1)
  })

  test('a delayed message comes when its delay is over', async () => {
    await consume('q')
    const sentMs = Date.now()
    await call('q', 'send', [{ type: 'text', body: 'later', delaySeconds: 1 }])
    await send('q', 'now')
    await untilEmpty('q')
    const [first, second] = await calls('q')
    expect(first?.bodies).toEqual(['now'])
    expect(second?.bodies).toEqual(['later'])
    expect((second?.atMs ?? 0) - sentMs).toBeGreaterThanOrEqual(1000)
  })

  test('stops while it is paused, and goes on', async () => {
    await consume('q')
    await call('q', 'configure', 'q', { delivery_paused: true })
    await send('q', 'a')
    await new Promise(resolve => setTimeout(resolve, 100))
    expect(await calls('q')).toEqual([])
    await call('q', 'configure', 'q', { delivery_paused: false })
    await untilEmpty('q')
  })
})

describe('after kill -9', () => {
  test('all that was acknowledged is there, and a batch that was under way comes again, counted', async () => {
    await behave('q', { delayMs: 60_000 })
    await consume('q', { batch_size: 2 })
    await send('q', 'a', 'b', 'c')
    await expect.poll(async () => (await calls('q')).length).toBe(2)
    await workerd.stop()
    await start()
    // The alarm wakes it: nobody calls the object.
    await expect
      .poll(async () => (await calls('q')).flatMap(({ bodies }) => bodies).length, { timeout: 15_000 })
      .toBe(3)
    const again = await calls('q')
    expect(again.flatMap(({ bodies }) => bodies).sort()).toEqual(['a', 'b', 'c'])
    expect(again.flatMap(({ attempts }) => attempts)).toEqual([2, 2, 2])
    await untilEmpty('q')
  })

  test('settings, consumer, delays and leases of pullers last', async () => {
    const { consumer_id } = await consume(
      'q',
      {},
      {
        type: 'http_pull',
        settings: { batch_size: 5, max_retries: 3, retry_delay: 0, visibility_timeout_ms: 60_000 },
      },
    )
    await call('q', 'configure', 'q', { delivery_delay: 7 })
    await call('q', 'send', [{ type: 'text', body: 'a', delaySeconds: 0 }])
    await send('q', 'b')
    const pulled = await call<{ messages: PulledMessage[] }>('q', 'pull', 5)
    expect(pulled.messages.map(({ body }) => body)).toEqual(['a'])
    await workerd.stop()
    await start()
    expect(await show('q')).toMatchObject({ settings: { delivery_delay: 7 }, consumers: [{ consumer_id }] })
    expect((await call<PeekedMessage[]>('q', 'peek', 5)).map(({ state }) => state)).toEqual([
      'leased',
      'delayed',
    ])
    expect(await call('q', 'acknowledge', [pulled.messages[0]?.lease_id], [])).toEqual({
      ackCount: 1,
      retryCount: 0,
      warnings: {},
    })
    expect(await backlog('q')).toBe(1)
  })
})

describe('pull', () => {
  const settings = { batch_size: 5, max_retries: 1, retry_delay: 0, visibility_timeout_ms: 60_000 }
  const pull = async (size: number, visibilityMs?: number) =>
    (await call<{ messages: PulledMessage[] }>('q', 'pull', size, visibilityMs)).messages

  test('leases messages: nobody else gets them until they are put back or their time is over', async () => {
    await consume('q', {}, { type: 'http_pull', settings })
    await send('q', 'a', 'b')
    const [first] = await pull(1, 60_000)
    const [second] = await pull(5, 50)
    expect([first?.body, second?.body]).toEqual(['a', 'b'])
    expect(await pull(5)).toEqual([])
    await expect.poll(async () => (await pull(5, 50))[0]?.attempts, { interval: 20 }).toBe(2)
    expect(await call('q', 'acknowledge', [], [{ leaseId: first?.lease_id }])).toMatchObject({
      retryCount: 1,
    })
    expect((await pull(1))[0]).toMatchObject({ body: 'a', attempts: 2 })
  })

  test('ends messages that fail too often', async () => {
    await consume(
      'q',
      {},
      { type: 'http_pull', settings: { ...settings, max_retries: 0 }, dead_letter_queue: 'dead' },
    )
    await send('q', 'a', 'b')
    const [first] = await pull(1)
    await call('q', 'acknowledge', [], [{ leaseId: first?.lease_id }])
    await pull(1, 0)
    expect(await pull(5)).toEqual([])
    await expect.poll(() => backlog('dead')).toBe(2)
    expect(await backlog('q')).toBe(0)
  })

  test('warns of leases that it does not know', async () => {
    await consume('q', {}, { type: 'http_pull', settings })
    const made = btoa('[99,1,1]')
    const { warnings, ...counts } = await call<{ warnings: object }>(
      'q',
      'acknowledge',
      ['x', made],
      [{ leaseId: 'y' }],
    )
    expect(counts).toEqual({ ackCount: 0, retryCount: 0 })
    expect(Object.keys(warnings)).toEqual(['x', made, 'y'])
  })

  test('is refused where the consumer is none of HTTP', async () => {
    await expect(pull(1)).rejects.toThrow('ERR_QUEUE_NO_PULL')
    await consume('q')
    await expect(pull(1)).rejects.toThrow('ERR_QUEUE_NO_PULL')
  })
})

describe('care', () => {
  test('a queue has one consumer', async () => {
    const { consumer_id } = await consume('q')
    await expect(consume('q')).rejects.toThrow('ERR_QUEUE_CONSUMER_TAKEN')
    await expect(call('q', 'removeConsumer', 'other')).rejects.toThrow('ERR_QUEUE_CONSUMER_NOT_FOUND')
    await call('q', 'removeScript', 'another')
    expect((await show('q')).consumers).toMatchObject([{ consumer_id }])
    await call('q', 'removeScript', 'of-q')
    expect((await show('q')).consumers).toEqual([])
  })

  test('redrive sends dead letters back to where they died, and others where it is told', async () => {
    await behave('q', { outcome: 'exception' })
    await consume('q', { max_retries: 0 }, { dead_letter_queue: 'dead' })
    await send('q', 'a')
    await send('dead', 'never died')
    await expect.poll(() => backlog('dead')).toBe(2)
    await behave('q', {})
    expect(await call('dead', 'redrive', 10)).toBe(1)
    await expect.poll(async () => (await calls('q')).length).toBe(2)
    expect((await calls('q')).map(({ attempts }) => attempts)).toEqual([[1], [1]])
    expect(await call('dead', 'redrive', 10, 'q')).toBe(1)
    await expect.poll(async () => (await calls('q')).at(-1)?.bodies).toEqual(['never died'])
    expect(await backlog('dead')).toBe(0)
  })

  test('letters that come twice are taken once', async () => {
    const letter = { number: 1, target: 'q', id: 'i', type: 1, sentMs: 5, source: 's', body: 'x' }
    await call('q', 'receive', 'from', [letter])
    await call('q', 'receive', 'from', [letter, { ...letter, number: 2 }])
    await call('q', 'receive', 'another', [letter])
    expect(await backlog('q')).toBe(3)
  })

  test('purge deletes all messages', async () => {
    await send('q', 'a', 'b')
    expect(await call('q', 'purge')).toBe(2)
    expect((await show('q')).metrics).toEqual({ backlogCount: 0, backlogBytes: 0, oldestMessageTimestamp: 0 })
  })

  test('what is older than the retention is deleted', async () => {
    await call('q', 'configure', 'q', { message_retention_period: 1 })
    await send('q', 'a')
    await untilEmpty('q')
  })

  test('a deleted queue takes nothing any more, also after a restart', async () => {
    await consume('q')
    await call('q', 'configure', 'q', { delivery_paused: true })
    await send('q', 'a')
    await call('q', 'remove')
    await expect(send('q', 'b')).rejects.toThrow('ERR_QUEUE_NOT_FOUND')
    await workerd.stop()
    await start()
    await expect(send('q', 'b')).rejects.toThrow('ERR_QUEUE_NOT_FOUND')
    expect(await show('q')).toMatchObject({ consumers: [], metrics: { backlogCount: 0 } })
  })
})
