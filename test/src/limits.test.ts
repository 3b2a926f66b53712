import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { bundleModule, startWorkerd, type Workerd } from '../support/workerd.ts'

const dataDir = mkdtempSync(join(tmpdir(), 'limits-'))
const OBJECTS = { LIMITER: 'Limiter', RECORDS: 'Records' }
let module = ''
let workerd: Workerd

beforeAll(async () => {
  module = await bundleModule('test/worker/limits.ts')
  workerd = await start()
})
afterAll(async () => {
  await workerd.stop()
  rmSync(dataDir, { recursive: true, force: true })
})

const start = () =>
  startWorkerd({
    modules: { 'worker.js': module },
    bindings: Object.entries(OBJECTS).map(([name, className]) => ({
      name,
      durableObjectNamespace: { className },
    })),
    durableObjects: Object.values(OBJECTS),
    dataDir,
  })

/** Sends requests, `width` at a time. */
async function send(count: number, width: number, path: string, caller: string): Promise<Response[]> {
  const answers: Response[] = []
  const lane = async () => {
    while (count-- > 0) answers.push(await workerd.fetch(path, { headers: { 'x-caller': caller } }))
  }
  await Promise.all(Array.from({ length: width }, lane))
  return answers
}

const passed = (answers: readonly Response[]) => answers.filter(({ status }) => status === 201).length

it('a rate limit lets no more than the limit through when many come at once, and answers each', async () => {
  const answers = await send(500, 40, '/rate', 'ann')
  expect(answers.map(({ status }) => status).filter(status => status !== 201 && status !== 429)).toEqual([])
  // What an edge took ahead and nobody asked for is the only thing that can be missing.
  expect(passed(answers)).toBeLessThanOrEqual(400)
  expect(passed(answers)).toBeGreaterThanOrEqual(392)
  expect(workerd.log()).not.toMatch(/different request|cross-request/i)
})

it('a quota lets no more than its limit through, across a kill of the process in between', async () => {
  const before = await send(1200, 40, '/quota', 'ann')
  expect(passed(before)).toBe(1200)
  await workerd.stop()
  workerd = await start()
  const after = await send(2000, 40, '/quota', 'ann')
  expect(after.filter(({ status }) => status !== 201 && status !== 429)).toEqual([])
  const total = passed(before) + passed(after)
  expect(total).toBeLessThanOrEqual(3000)
  // What was held is lost: three units at most when the process was killed, and three more at the end.
  expect(total).toBeGreaterThanOrEqual(2994)
})

it('an answer is given again after a kill of the process', async () => {
  const order = () =>
    workerd.fetch('/once', {
      method: 'POST',
      headers: { host: 'a.example', 'idempotency-key': 'k1' },
      body: 'a book',
    })
  const first = await order()
  expect(first.status).toBe(201)
  await workerd.stop()
  workerd = await start()
  const again = await order()
  expect(again.headers.get('idempotency-replayed')).toBe('true')
  expect(await again.text()).toBe(await first.text())
})

it('of many requests with one key that come at once, one is carried out', async () => {
  const answers = await Promise.all(
    Array.from({ length: 30 }, () =>
      workerd.fetch('/once', { method: 'POST', headers: { 'idempotency-key': 'k2' }, body: 'a book' }),
    ),
  )
  const first = answers.filter(
    ({ status, headers }) => status === 201 && !headers.has('idempotency-replayed'),
  )
  expect(first).toHaveLength(1)
  expect(answers.filter(({ status }) => status !== 201 && status !== 409)).toEqual([])
})
