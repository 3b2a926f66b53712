import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe } from 'vitest'
import { testCases } from '../support/contract-cases.ts'
import { embeddedQueues } from '../support/queue-workerd.ts'
import { bundleModule, startWorkerd } from '../support/workerd.ts'
import type { Result } from './differences/difference.ts'
import { comparable, differencesOn, PARTS } from './differences/queue.ts'

const dir = mkdtempSync(join(tmpdir(), 'queue-contract-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const [driver, host] = await Promise.all([
  bundleModule('test/worker/queue-driver.ts'),
  bundleModule('test/worker/queue-host.ts'),
])

describe.each([
  { date: '2022-01-01', delivery: 'native' },
  { date: '2026-11-01', delivery: 'native' },
  { date: '2026-11-01', delivery: 'harness' },
])('a queue, compatibility date $date, delivery: $delivery', async ({ date, delivery }) => {
  testCases('the native one', await runNative(date), await runOurs(date, delivery), differencesOn(date))
})

async function runNative(date: string): Promise<Result[]> {
  const bind = (name: string) => ({
    name: name.toUpperCase(),
    queue: { name: 'queues', props: { json: JSON.stringify({ queue: name }) } },
  })
  const workerd = await startWorkerd({
    modules: { 'driver.js': driver },
    compatibilityDate: date,
    compatibilityFlags: [],
    bindings: ['events', 'pairs', 'refused'].map(bind),
    services: embeddedQueues(mkdtempSync(join(dir, 'native-'))),
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
    for (const part of PARTS) {
      results.push(...comparable(part, await (await workerd.fetch(`/${part}`)).text()))
    }
    return results
  } finally {
    await workerd.stop()
  }
}
