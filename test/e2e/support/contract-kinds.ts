import * as cacheApi from '../../contract/differences/cache-api.ts'
import * as d1 from '../../contract/differences/d1.ts'
import type { Differences, Result } from '../../contract/differences/difference.ts'
import * as durableObject from '../../contract/differences/durable-object.ts'
import * as kv from '../../contract/differences/kv.ts'
import * as queue from '../../contract/differences/queue.ts'
import * as r2 from '../../contract/differences/r2.ts'
import * as workflow from '../../contract/differences/workflow.ts'
import { byCase, type Point } from '../../support/analytics-points.ts'
import type { HostKind } from './platform.ts'

/** Whose bindings ours are compared with: those that `wrangler dev` has, or those that come with workerd. */
export type Native = 'Miniflare' | 'workerd'

/** The driver's bindings of Durable Objects: their classes by name. */
export const CLASSES = { Tried: 'Tried', Quiet: 'Quiet', Plain: 'Plain', LEDGER: 'Ledger' }

/** Where `test/worker/contract-driver.ts` runs. */
export interface Column {
  /** Which of ours, or a native one. */
  readonly host: HostKind | 'native'
  /** The text of its answer at a path; anything but 200 is an error. */
  read(path: string): Promise<string>
  /** The data points that it wrote so far, in their order. */
  readPoints(): Promise<readonly Point[]>
}

/** The text of an answer for `Column.read()`. */
export async function readAnswer(
  path: string,
  answer: { readonly status: number; text(): Promise<string> },
): Promise<string> {
  const text = await answer.text()
  if (answer.status !== 200) throw new Error(`${path} answered ${answer.status}: ${text.slice(0, 500)}`)
  return text
}

/** A kind of binding that has a driver. */
export interface ContractKind {
  readonly name: string
  readonly native: Native
  readonly differences: Differences
  /** Runs all cases in a column; what can't be the same in two of them is left out. */
  run(column: Column): Promise<readonly Result[]>
}

const DATE = '2026-11-01'

/** All of them. */
export const KINDS: readonly ContractKind[] = [
  {
    name: 'KV',
    native: 'Miniflare',
    differences: { ...kv.differencesOn(DATE), ...kv.MINIFLARE_DIFFERENCES },
    run: async ({ host, read }) => {
      const results = await read('/kv')
      // Under `wrangler dev` the store is Miniflare's.
      return kv.comparable(
        host === 'start' ? results : kv.withCacheStatus(results),
        host === 'native' ? 512 : 504,
      )
    },
  },
  {
    name: 'D1',
    native: 'Miniflare',
    differences: { ...d1.DIFFERENCES, ...d1.MINIFLARE_DIFFERENCES },
    run: async ({ read }) => d1.comparable(await read('/d1')),
  },
  {
    name: 'R2',
    native: 'Miniflare',
    differences: r2.differencesOn(DATE),
    run: async ({ host, read }) => {
      const results = await read('/r2')
      return r2.comparable(host === 'native' ? r2.withStorageClass(results) : results, DATE)
    },
  },
  {
    name: 'Durable Objects',
    native: 'Miniflare',
    differences: durableObject.differencesOn(DATE),
    run: async ({ read }) => JSON.parse(await read('/objects')) as Result[],
  },
  {
    name: 'the Cache API',
    native: 'Miniflare',
    differences: cacheApi.differencesOn(DATE),
    run: async ({ read }) => cacheApi.comparable(await read('/caches'), DATE),
  },
  {
    name: 'queues',
    // Miniflare's know no metrics, refuse nothing, and retry what was acknowledged.
    native: 'workerd',
    differences: queue.differencesOn(DATE),
    run: async ({ read }) => {
      const parts = queue.PARTS.map(async part => queue.comparable(part, await read(`/queue/${part}`)))
      return (await Promise.all(parts)).flat()
    },
  },
  {
    name: 'workflows',
    native: 'workerd',
    differences: workflow.differencesOn(DATE),
    run: async ({ read }) => {
      const results: Result[] = []
      // One after the other: whoever waits for so many instances asks them often.
      for (const part of workflow.PARTS) {
        results.push(...workflow.comparable(part, await read(`/workflow/${part}`)))
      }
      return results
    },
  },
  {
    name: 'Analytics Engine',
    // Miniflare's takes everything and writes nothing.
    native: 'workerd',
    differences: {},
    run: async column => {
      const returned = JSON.parse(await column.read('/analytics')) as Record<string, unknown>
      const written = byCase(await untilAllWritten(column))
      return Object.entries(returned).map(([name, value]) => [
        name,
        { returned: value, written: written[name] },
      ])
    },
  },
]

/** Points travel by themselves, for a second and more: all are there when the last is. */
async function untilAllWritten(column: Column): Promise<readonly Point[]> {
  const endMs = performance.now() + 10_000
  for (;;) {
    const points = await column.readPoints()
    if (points.at(-1)?.index === 'end' || performance.now() > endMs) return points
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}
