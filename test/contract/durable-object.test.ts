import { afterAll, describe, expect, test } from 'vitest'
import { testCases } from '../support/contract-cases.ts'
import { bundleModule, startWorkerd, type Workerd } from '../support/workerd.ts'
import type { Result } from './differences/difference.ts'
import { differencesOn } from './differences/durable-object.ts'

const [driver, host] = await Promise.all([
  bundleModule('test/worker/object-driver.ts'),
  bundleModule('test/worker/object-host.ts'),
])
const running: Workerd[] = []
afterAll(async () => {
  for (const workerd of running) await workerd.stop()
})

describe.each([{ date: '2024-04-03' }, { date: '2026-11-01' }])(
  'Durable Objects, compatibility date $date',
  async ({ date }) => {
    const [native, ours] = await Promise.all([runNative(date), runOurs(date)])
    testCases('native ones', native, ours, differencesOn(date))
  },
)

test('calls from another process are made in the order in which it sent them', async () => {
  const workerd = await startOurs()
  expect(await (await workerd.fetch('/order')).json()).toEqual([5, 4, 2, 3, 1])
})

test('an alarm that could not be stored resets its object, and the call that set it fails', async () => {
  const workerd = await startOurs()
  expect(await (await workerd.fetch('/unstorable')).json()).toEqual({
    answer: 'The alarm could not be stored: Error: the disk is full',
    alarm: 4_000_000_000_000,
  })
})

test('an alarm that its object set before it was reset, and that came after, runs', async () => {
  const workerd = await startOurs()
  expect(await (await workerd.fetch('/from-before')).json()).toEqual({ known: null, ran: 1, alarm: null })
})

test('deleteNamespace() deletes what each of 60 objects stored, its alarm, and it from the list', async () => {
  const workerd = await startOurs()
  const answer = await (await workerd.fetch('/delete')).json()
  const each = <T>(value: T) => Array.from({ length: 60 }, () => value)
  expect(answer).toEqual({
    before: { listed: 60, has: each(1), alarms: each([null, 4_000_000_000_000]) },
    listed: 0,
    after: { listed: 0, has: each(null), alarms: each([null, null]) },
  })
})

async function runNative(date: string): Promise<Result[]> {
  const workerd = await startWorkerd({
    modules: { 'driver.js': driver },
    compatibilityDate: date,
    compatibilityFlags: [],
    durableObjects: ['Tried', 'Quiet', 'Plain'],
  })
  running.push(workerd)
  return JSON.parse(await (await workerd.fetch('/')).text())
}

async function runOurs(date: string): Promise<Result[]> {
  const workerd = await startOurs()
  return JSON.parse(await (await workerd.fetch(`/?date=${date}`)).text())
}

async function startOurs(): Promise<Workerd> {
  const workerd = await startWorkerd({
    modules: { 'host.js': host },
    bindings: [
      { name: 'LOADER', workerLoader: { id: 'functions' } },
      { name: 'DRIVER', text: driver },
      { name: 'OBJECT', durableObjectNamespace: { className: 'UserObject' } },
      { name: 'OBJECT_INDEX', durableObjectNamespace: { className: 'ObjectIndex' } },
    ],
    durableObjects: ['UserObject', 'ObjectIndex'],
  })
  running.push(workerd)
  return workerd
}
