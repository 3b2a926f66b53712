import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readPurge } from '../../routes/api/purge-body.ts'
import type { Purge } from '../../src/core/gateway.ts'
import type { AccountChanges } from '../../src/core/routing.ts'
import { applyPurges, purgesAfter, purgesOf } from '../../src/edge-purges.ts'
import { bundleModule, startWorkerd, type Workerd } from '../support/workerd.ts'

describe('the table of purges', () => {
  let workerd: Workerd
  beforeAll(async () => {
    workerd = await startWorkerd({
      modules: { 'main.js': await bundleModule('test/worker/purges.ts') },
      durableObjects: ['Table'],
    })
  })
  afterAll(() => workerd?.stop())

  const run = async (...calls: unknown[]) =>
    (await (await workerd.fetch('/', { method: 'POST', body: JSON.stringify(calls) })).json()) as (
      | Purge[]
      | null
    )[]
  const tag = { kind: 'tag', value: 'a' }
  const DAY_MS = 86_400_000

  test('gives those after a revision, in order', async () => {
    const [, , all, later] = await run(
      { targets: [tag, { kind: 'host', value: 'h' }], revision: 3, nowMs: 10 },
      { targets: [{ kind: 'url', value: 'u' }], revision: 4, nowMs: 20 },
      { since: 0 },
      { since: 3 },
    )
    expect(all?.map(({ sequence, kind }) => [sequence, kind])).toEqual([
      [1, 'tag'],
      [2, 'host'],
      [3, 'url'],
    ])
    expect(later).toEqual([{ sequence: 3, kind: 'url', value: 'u', atMs: 20 }])
  })

  test('keeps a day of them, and never gives a number twice', async () => {
    const [, , kept, , gone] = await run(
      { targets: [tag], revision: 1, nowMs: 0 },
      { targets: [tag], revision: 2, nowMs: DAY_MS },
      { since: 0 },
      { targets: [tag], revision: 3, nowMs: 3 * DAY_MS },
      { since: 0 },
    )
    expect(kept?.map(({ sequence }) => sequence)).toEqual([1, 2])
    expect(gone?.map(({ sequence }) => sequence)).toEqual([3])
  })

  test('everything takes the place of what was before it', async () => {
    const [, , all] = await run(
      { targets: [tag], revision: 1, nowMs: 0 },
      { targets: [tag, { kind: 'everything' }], revision: 2, nowMs: 0 },
      { since: 0 },
    )
    expect(all).toEqual([{ sequence: 2, kind: 'everything', atMs: 0 }])
  })

  test('too many become everything', async () => {
    const [, at, , above] = await run(
      { targets: Array(100).fill(tag), revision: 1, nowMs: 0, times: 100 },
      { since: 0 },
      { targets: [tag], revision: 2, nowMs: 0 },
      { since: 0 },
    )
    expect(at).toHaveLength(10_000)
    expect(above).toEqual([{ sequence: 10_001, kind: 'everything', atMs: 0 }])
  })
})

describe('an edge’s purges', () => {
  const changes = (accountId: string, from: number, purges?: readonly Purge[]): AccountChanges => ({
    accountId,
    workersDomain: 'localhost',
    from,
    to: from + 1,
    scripts: [],
    removed: [],
    ...(purges && { purges }),
  })
  const purge = (sequence: number, atMs = 0): Purge => ({ sequence, atMs, kind: 'everything' })

  test('are added once each, whether pushed or read again', () => {
    applyPurges(changes('one', 0, [purge(1), purge(2)]))
    applyPurges(changes('one', 1, [purge(2), purge(3)]))
    applyPurges(changes('one', 0, [purge(1), purge(2), purge(3)]))
    applyPurges(changes('one', 2))
    expect(purgesOf('one').map(({ sequence }) => sequence)).toEqual([1, 2, 3])
    expect(purgesAfter('one', 2)).toEqual([purge(3)])
    expect(purgesAfter('one', 3)).toEqual([])
    expect(purgesAfter('none', 0)).toEqual([])
  })

  test('are dropped after a day', () => {
    applyPurges(changes('two', 0, [purge(1, 0), purge(2, 80_000_000)]))
    applyPurges(changes('two', 1, [purge(3, 100_000_000)]))
    expect(purgesOf('two').map(({ sequence }) => sequence)).toEqual([2, 3])
  })
})

describe('readPurge()', () => {
  const FIELDS = { everything: 'everything', urls: 'url', hosts: 'host', tags: 'tag' } as const
  test.each([
    [{ everything: true }, [{ kind: 'everything' }]],
    [{ everything: false, tags: [' a '] }, [{ kind: 'tag', value: 'a' }]],
    [{ urls: ['HTTPS://Example.com/a b'] }, [{ kind: 'url', value: 'https://example.com/a%20b' }]],
    [{ urls: [{ url: 'https://a/', headers: {} }] }, [{ kind: 'url', value: 'https://a/' }]],
    [{ hosts: ['*.a.b'] }, [{ kind: 'host', value: '*.a.b' }]],
  ])('%o', (body, targets) => {
    expect(readPurge(body, FIELDS)).toEqual(targets)
  })

  test.each([
    [{}, 'Nothing is named'],
    [{ tag: ['a'] }, '"tag" is not known'],
    [{ tags: 'a' }, 'must be a list'],
    [{ tags: [1] }, 'must hold texts'],
    [{ tags: [''] }, 'must hold texts'],
    [{ everything: 'yes' }, 'must be true'],
    [{ urls: ['/a'] }, 'whole URL'],
    [{ hosts: ['a/b'] }, 'host name'],
    [{ tags: ['x'.repeat(4097)] }, 'the limit is 4096'],
    [{ tags: Array(101).fill('a') }, 'the limit is 100'],
  ])('refuses %o', (body, message) => {
    expect(() => readPurge(body, FIELDS)).toThrow(message)
  })
})
