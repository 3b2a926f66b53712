import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { BatchResult } from '../../src/core/invoker.ts'
import { type RuntimeHost, startRuntimeHost } from '../support/runtime-workerd.ts'

/** `runBatch()`: workerd's own event, and the harness in its place on hosts without. Both must say the same. */

let host: RuntimeHost
let scripts = 0
beforeAll(async () => {
  host = await startRuntimeHost()
})
afterAll(() => host?.stop())

const RUN = `import { WorkerEntrypoint } from 'cloudflare:workers'\n`
const handler = (body: string) =>
  `export default { async queue(batch, env, ctx) { const m = batch.messages; ${body} } }`

async function runBoth(code: string): Promise<{ native: BatchResult; harness: BatchResult }> {
  const name = `batch-${++scripts}`
  await host.deploy(name, code)
  return {
    native: await host.call<BatchResult>('native-queue', name),
    harness: await host.call<BatchResult>('queue', name),
  }
}

type Verdict = Omit<BatchResult, 'error'>
const SILENT: Verdict = {
  outcome: 'ok',
  ackAll: false,
  retryBatch: { retry: false },
  explicitAcks: [],
  retryMessages: [],
}

describe('runBatch()', () => {
  test.each<[what: string, code: string, expected: Partial<Verdict>]>([
    ['says nothing of a handler that says nothing', handler(''), {}],
    ['tells of ack()', handler('m[0].ack(); m[2].ack()'), { explicitAcks: ['m0', 'm2'] }],
    [
      'tells of retry(), with and without delay',
      handler(
        'm[0].retry(); m[1].retry({ delaySeconds: 7 }); m[2].retry({ delaySeconds: 0 }); m[3].retry({})',
      ),
      {
        retryMessages: [
          { msgId: 'm0' },
          { msgId: 'm1', delaySeconds: 7 },
          { msgId: 'm2', delaySeconds: 0 },
          { msgId: 'm3' },
        ],
      },
    ],
    ['tells of ackAll()', handler('batch.ackAll()'), { ackAll: true }],
    ['tells of retryAll()', handler('batch.retryAll()'), { retryBatch: { retry: true } }],
    [
      'tells of retryAll() with a delay',
      handler('batch.retryAll({ delaySeconds: 30 })'),
      { retryBatch: { retry: true, delaySeconds: 30 } },
    ],
    [
      'takes the first word on a message: ack()',
      handler('m[0].ack(); m[0].retry()'),
      { explicitAcks: ['m0'] },
    ],
    [
      'takes the first word on a message: retry()',
      handler('m[0].retry(); m[0].ack()'),
      { retryMessages: [{ msgId: 'm0' }] },
    ],
    [
      'takes the first word on the batch: ackAll()',
      handler('batch.ackAll(); batch.retryAll()'),
      { ackAll: true },
    ],
    [
      'takes the first word on the batch: retryAll()',
      handler('batch.retryAll(); batch.ackAll()'),
      { retryBatch: { retry: true } },
    ],
    ['ignores ack() after ackAll()', handler('batch.ackAll(); m[0].ack(); m[1].retry()'), { ackAll: true }],
    [
      'ignores ack() after retryAll(), and takes retry()',
      handler('batch.retryAll(); m[0].ack(); m[1].retry({ delaySeconds: 9 })'),
      { retryBatch: { retry: true }, retryMessages: [{ msgId: 'm1', delaySeconds: 9 }] },
    ],
    [
      'keeps words on messages before retryAll()',
      handler('m[0].ack(); m[1].retry({ delaySeconds: 3 }); batch.retryAll()'),
      {
        explicitAcks: ['m0'],
        retryMessages: [{ msgId: 'm1', delaySeconds: 3 }],
        retryBatch: { retry: true },
      },
    ],
    [
      'keeps what was said when the handler throws',
      handler('m[0].ack(); m[1].retry(); throw new Error("late")'),
      { outcome: 'exception', explicitAcks: ['m0'], retryMessages: [{ msgId: 'm1' }] },
    ],
    [
      'takes what is said in waitUntil()',
      handler('ctx.waitUntil(scheduler.wait(20).then(() => m[3].ack()))'),
      { explicitAcks: ['m3'] },
    ],
    ['fails without a handler', 'export default { fetch() {} }', { outcome: 'exception' }],
    [
      'runs a class',
      `${RUN}export default class extends WorkerEntrypoint { async queue(batch) { batch.messages[1].ack(this.env, this.ctx.waitUntil) } }`,
      { explicitAcks: ['m1'] },
    ],
  ])('%s', async (_what, code, expected) => {
    const { native, harness } = await runBoth(code)
    const verdict = ({ error: _, ...rest }: BatchResult) => rest
    expect(verdict(native)).toEqual({ ...SILENT, ...expected })
    expect(verdict(harness)).toEqual({ ...SILENT, ...expected })
  })

  test('gives the handler queue, metadata and messages', async () => {
    const seen = handler(`
      const show = v => v instanceof Map ? ['Map', [...v]] : v instanceof ArrayBuffer ? ['ArrayBuffer', ...new Uint8Array(v)] : v
      const told = [batch.queue, batch.metadata, m.map(x => [x.id, x.timestamp instanceof Date, x.timestamp, x.attempts, show(x.body)])]
      throw new Error(JSON.stringify(told))`)
    const name = `batch-${++scripts}`
    await host.deploy(name, seen)
    // Natively the error's text is for tails alone; bodies are compared in test/contract/queue.test.ts.
    const { error } = await host.call<BatchResult>('queue', name)
    expect(JSON.parse(/Error: (.*)/.exec(error ?? '')?.[1] ?? '')).toEqual([
      'jobs',
      {
        metrics: { backlogCount: 9, backlogBytes: 99, oldestMessageTimestamp: '1970-01-01T00:00:05.000Z' },
      },
      [
        ['m0', true, '1970-01-01T00:01:00.000Z', 1, { n: 1 }],
        ['m1', true, '1970-01-01T00:01:00.001Z', 2, 'two'],
        ['m2', true, '1970-01-01T00:01:00.002Z', 3, ['ArrayBuffer', 3]],
        ['m3', true, '1970-01-01T00:01:00.003Z', 4, ['Map', [['n', '1970-01-01T00:00:00.004Z']]]],
      ],
    ])
  })

  test('says why the harness could not run the handler', async () => {
    const { harness } = await runBoth('export default { fetch() {} }')
    expect(harness.error).toBe('Error: Handler does not export a queue() function.')
    expect((await runBoth(handler('throw new TypeError("bad")'))).harness.error).toMatch(
      /^TypeError: bad\n {4}at Object\.queue \(index\.js:1:\d+\)$/,
    )
  })
})
