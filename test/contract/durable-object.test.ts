import { afterAll, describe, expect, test } from 'vitest'
import { bundleModule, startWorkerd, type Workerd } from '../support/workerd.ts'

type Result = [name: string, outcome: unknown]

/** Where ours differs from native objects: what ours does, and why. Everything else must be equal. */
const DIFFERENCES: Readonly<Record<string, { ours: unknown; why: string; onlyNew?: true }>> = {
  ...same(
    [
      'an error of kind text',
      'an error of kind undefined',
      'a method that is not there',
      'a field',
      'a private method',
      'the member alarm',
      'the member webSocketMessage',
      'the member ctx',
      'the member env',
      'a call through call()',
      'RPC of an object that extends nothing',
    ],
    { error: expect.any(String), fields: { durableObjectId: '<id>', remote: true } },
    'the error passes the object’s host, which names the object in it',
    { onlyNew: true },
  ),
  ...same(
    ['abort()', 'abort() without a reason'],
    {
      error: 'Error: Application called abort() to reset Durable Object.',
      fields: expect.objectContaining({ remote: true }),
    },
    'it comes by RPC',
  ),
  ...same(
    ['blockConcurrencyWhile() that fails'],
    [{ error: 'Error: failed inside', fields: expect.objectContaining({ remote: true }) }, 1],
    'a stub goes on after its object was reset; natively it is broken',
  ),
  ...same(
    ['the member connect'],
    {
      error: "TypeError: 'connect' is a reserved method and cannot be called over RPC.",
      fields: { remote: true },
    },
    'there are no raw sockets to objects',
  ),
}

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
    const [native, ours] = await Promise.all([runNative(date), runOurs(date).then(cases => new Map(cases))])
    const declared = (name: string) =>
      Object.hasOwn(DIFFERENCES, name) && (date > '2026' || !DIFFERENCES[name]?.onlyNew)

    test('runs every case', () => {
      expect([...ours.keys()]).toEqual(native.map(([name]) => name))
      expect(Object.keys(DIFFERENCES).filter(name => !ours.has(name))).toEqual([])
    })

    test.each(native.filter(([name]) => !declared(name)))('do as native ones: %s', (name, expected) => {
      expect(ours.get(name)).toEqual(expected)
    })

    test.each(native.filter(([name]) => declared(name)))('differ as declared: %s', (name, native) => {
      expect(ours.get(name)).toEqual(DIFFERENCES[name]?.ours)
      expect(ours.get(name)).not.toEqual(native)
    })
  },
)

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
  return JSON.parse(await (await workerd.fetch(`/?date=${date}`)).text())
}

function same(names: readonly string[], ours: unknown, why: string, more: { onlyNew?: true } = {}) {
  return Object.fromEntries(names.map(name => [name, { ours, why, ...more }]))
}
