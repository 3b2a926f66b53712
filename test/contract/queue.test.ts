import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import type { ServiceConfig } from '../../host/config.ts'
import { bundleModule, startWorkerd } from '../support/workerd.ts'

type Result = [name: string, outcome: unknown]

interface Difference {
  readonly ours: unknown
  readonly why: string
  /** The only compatibility date on which it differs; absent = all. */
  readonly date?: string
}

const NEW = '2026-11-01'

/** Where ours differs from workerd's own queues: what ours does, and why. Everything else must be equal. */
const DIFFERENCES: Readonly<Record<string, Difference>> = {
  'refusals: the text of a producer': {
    ours: { value: '[object WorkerQueue]' },
    why: 'it is that of newer dates; no program looks at it',
    date: '2022-01-01',
  },
  ...refused(
    ['send() with a delay of -1', 'sendBatch() with a delay of -1'],
    'message delay of -1 seconds must be between 0 and 86400 seconds (10203)',
    'Bad Request',
    "workerd's own queues take any delay; Cloudflare refuses it",
  ),
  ...refused(
    ['send() with a delay of 86,401'],
    'message delay of 86401 seconds must be between 0 and 86400 seconds (10203)',
    'Bad Request',
    'as above',
  ),
  ...Object.fromEntries(
    [
      ['send() of 128,001 bytes', 'message length of 128001 bytes exceeds limit of 128000 bytes (10204)'],
      [
        'send() of 128,001 bytes of JSON',
        'message length of 128001 bytes exceeds limit of 128000 bytes (10204)',
      ],
      ['sendBatch() of 101 messages', 'batch message count of 101 exceeds limit of 100 (10206)'],
      ['sendBatch() of 256,001 bytes', 'batch size of 256001 bytes exceeds limit of 256000 bytes (10205)'],
      [
        'sendBatch() with a message of 128,001 bytes',
        'message in batch has length 128001 bytes which exceeds single message size limit of 128000 bytes (10204)',
      ],
    ].map(([name, text]) => [
      `refusals: ${name}`,
      {
        ours: { error: `Error: ${text}`, own: [] },
        why: "newer dates show the cause with Cloudflare's code, which workerd's own queues don't give",
        date: NEW,
      },
    ]),
  ),
  ...Object.fromEntries(
    [
      ['send() of a function as JSON', 'function'],
      ['send() of what toJSON() makes nothing of', 'object'],
    ].map(([name, kind]) => [
      `refusals: ${name}`,
      {
        ours: { error: `TypeError: Message body of type ${kind} cannot be written as JSON`, own: [] },
        why: 'natively it is stored as `undefined`, which no consumer can read',
        date: NEW,
      },
    ]),
  ),
}

/** Older dates show the status alone. */
function refused(names: readonly string[], text: string, status: string, why: string) {
  const shown = (name: string) =>
    expect.toSatisfy(
      (seen: { error: string; own: string[] }) =>
        [`Error: ${text}`, `Error: Queue ${name.split('(')[0]} failed: ${status}`].includes(seen.error) &&
        seen.own.length === 0,
    )
  return Object.fromEntries(names.map(name => [`refusals: ${name}`, { ours: shown(name), why }]))
}

const dirs: string[] = []
afterAll(() => {
  for (const dir of dirs) rmSync(dir, { recursive: true, force: true })
})

const [driver, host] = await Promise.all([
  bundleModule('test/worker/queue-driver.ts'),
  bundleModule('test/worker/queue-host.ts'),
])

describe.each([
  { date: '2022-01-01', delivery: 'native' },
  { date: '2026-11-01', delivery: 'native' },
  { date: '2026-11-01', delivery: 'harness' },
])('a queue, compatibility date $date, delivery: $delivery', async ({ date, delivery }) => {
  const [native, ours] = [await runNative(date), new Map(await runOurs(date, delivery))]
  const declared = (name: string) =>
    Object.hasOwn(DIFFERENCES, name) && (DIFFERENCES[name]?.date ?? date) === date

  test('runs every case', () => {
    expect([...ours.keys()]).toEqual(native.map(([name]) => name))
    expect(Object.keys(DIFFERENCES).filter(name => !ours.has(name))).toEqual([])
  })

  test.each(native.filter(([name]) => !declared(name)))('does as the native one: %s', (name, expected) => {
    expect(ours.get(name)).toEqual(expected)
  })

  test.each(native.filter(([name]) => declared(name)))('differs as declared: %s', (name, native) => {
    expect(ours.get(name)).toEqual(DIFFERENCES[name]?.ours)
    expect(ours.get(name)).not.toEqual(native)
  })
})

const PAIRS = { maxBatchSize: 2, maxBatchTimeout: 60, maxRetries: 2, deadLetterQueue: 'dead' }

async function runNative(date: string): Promise<Result[]> {
  const consumers = {
    events: { consumer: 'worker', maxBatchSize: 100, maxBatchTimeout: 0, maxRetries: 0 },
    pairs: { consumer: 'worker', ...PAIRS },
    dead: { consumer: 'worker', maxBatchSize: 1, maxBatchTimeout: 0 },
  }
  const bind = (name: string) => ({
    name: name.toUpperCase(),
    queue: { name: 'queues', props: { json: JSON.stringify({ queue: name }) } },
  })
  const dir = createDir()
  const workerd = await startWorkerd({
    modules: { 'driver.js': driver },
    compatibilityDate: date,
    compatibilityFlags: [],
    bindings: ['events', 'pairs', 'refused'].map(bind),
    services: embeddedQueues(dir, consumers),
  })
  return read(workerd)
}

async function runOurs(date: string, delivery: string): Promise<Result[]> {
  const workerd = await startWorkerd({
    modules: { 'host.js': host },
    compatibilityFlags: ['experimental', 'service_binding_extra_handlers'],
    durableObjects: ['Queue', 'Account'],
    bindings: [
      { name: 'LOADER', workerLoader: { id: 'functions' } },
      { name: 'DRIVER', text: driver },
      { name: 'DATE', text: date },
      { name: 'DELIVERY', text: delivery },
      { name: 'QUEUE', durableObjectNamespace: { className: 'Queue' } },
      { name: 'ACCOUNT', durableObjectNamespace: { className: 'Account' } },
    ],
  })
  const consume = async (queue: string, settings: object, letters?: string) => {
    const consumer = {
      type: 'worker',
      script: 'driver',
      settings,
      ...(letters && { dead_letter_queue: letters }),
    }
    await workerd.fetch(`/object/${queue}/setConsumer`, {
      method: 'POST',
      body: JSON.stringify([queue, consumer]),
    })
  }
  const settings = {
    batch_size: 100,
    max_wait_time_ms: 0,
    max_retries: 0,
    retry_delay: 0,
    max_concurrency: null,
  }
  await consume('events', settings)
  await consume('pairs', { ...settings, batch_size: 2, max_wait_time_ms: 60_000, max_retries: 2 }, 'dead')
  await consume('dead', settings)
  return read(workerd)
}

async function read(workerd: Awaited<ReturnType<typeof startWorkerd>>): Promise<Result[]> {
  try {
    const results: Result[] = []
    for (const part of ['refusals', 'deliveries', 'verdicts']) {
      const text = await (await workerd.fetch(`/${part}`)).text()
      const of = JSON.parse(text) as Result[]
      results.push(...of.map(([name, outcome]): Result => [`${part}: ${name}`, outcome]))
    }
    return results
  } finally {
    await workerd.stop()
  }
}

/** workerd's own queues as service `queues`, with its disk below `dir`. */
function embeddedQueues(dir: string, consumers: object): ServiceConfig[] {
  mkdirSync(dir, { recursive: true })
  return [
    {
      name: 'queues',
      worker: {
        modules: [{ name: 'queues.js', bundled: '/workerd/queues.js' }],
        compatibilityDate: '2026-01-01',
        compatibilityFlags: ['service_binding_extra_handlers'],
        bindings: [
          { name: 'SHARD', durableObjectNamespace: { className: 'QueueShard' } },
          { name: 'CONSUMERS', json: JSON.stringify(consumers) },
          { name: 'worker', service: 'main' },
        ],
        durableObjectNamespaces: [{ className: 'QueueShard', uniqueKey: 'QueueShard', enableSql: true }],
        durableObjectStorage: { localDisk: 'queues-disk' },
      },
    },
    { name: 'queues-disk', disk: { path: dir, writable: true } },
  ]
}

function createDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'queue-contract-'))
  dirs.push(dir)
  return dir
}
