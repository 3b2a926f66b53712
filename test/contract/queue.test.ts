import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { embeddedQueues } from '../support/queue-workerd.ts'
import { bundleModule, startWorkerd } from '../support/workerd.ts'
import type { Result } from './differences/difference.ts'
import { differencesOn } from './differences/queue.ts'

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
  const differences = differencesOn(date)
  const declared = (name: string) => Object.hasOwn(differences, name)

  test('runs every case', () => {
    expect([...ours.keys()]).toEqual(native.map(([name]) => name))
    expect(Object.keys(differences).filter(name => !ours.has(name))).toEqual([])
  })

  test.each(native.filter(([name]) => !declared(name)))('does as the native one: %s', (name, expected) => {
    expect(ours.get(name)).toEqual(expected)
  })

  test.each(native.filter(([name]) => declared(name)))('differs as declared: %s', (name, native) => {
    expect(ours.get(name)).toEqual(differences[name]?.ours)
    expect(ours.get(name)).not.toEqual(native)
  })
})

async function runNative(date: string): Promise<Result[]> {
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
    services: embeddedQueues(dir),
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

function createDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'queue-contract-'))
  dirs.push(dir)
  return dir
}
