import { describe, expect, test } from 'vitest'
import { RouteTable } from '../../routes/table.ts'
import { type EvictOptions, type Isolate, Isolates, SUPERSEDED_MS } from '../../runtime/isolates.ts'
import { parseIsolateId } from '../../src/core/isolate-id.ts'
import type { EdgeVersion, ScriptEntry, ScriptTarget } from '../../src/core/routing.ts'

const ACCOUNT = 'a'.repeat(32)
const NOW_MS = 1_000_000_000_000

function versionOf(isolate: string, more: Partial<EdgeVersion> = {}): EdgeVersion {
  const reads = { cf: false, clientHeaders: false }
  return { id: `id-${isolate}`, isolate, percentage: 100, reads, hasFetch: true, turnMs: 500, ...more }
}

function entryOf(name: string, more: Partial<ScriptEntry> = {}): ScriptEntry {
  const versions = [versionOf(`${name}-1`)]
  return { name, versions, workersDev: true, previews: true, tailingUntilMs: 0, ...more }
}

/** A table with these scripts, and its changes. */
class Deployments {
  readonly table = new RouteTable()
  #revision = 0

  constructor(...names: string[]) {
    for (const name of names) this.deploy(entryOf(name))
  }

  deploy(...scripts: ScriptEntry[]): void {
    this.#apply(scripts, [])
  }

  remove(...names: string[]): void {
    this.#apply([], names)
  }

  target(name: string): ScriptTarget {
    const target = this.table.script(ACCOUNT, name)
    if (!target) throw new Error(`${name} isn't deployed`)
    return target
  }

  #apply(scripts: ScriptEntry[], removed: string[]): void {
    const from = this.#revision++
    const to = this.#revision
    this.table.apply({ accountId: ACCOUNT, workersDomain: 'localhost', from, to, scripts, removed })
  }
}

function use(isolates: Isolates, target: ScriptTarget, nowMs = NOW_MS, isTailing = false): Isolate {
  const version = target.sole
  if (!version) throw new Error('no version')
  return isolates.use(target, version, isTailing, nowMs)
}

/** Loaded isolates of scripts `s0` …, used one second after the other, the last one now. */
function loaded(count: number): { isolates: Isolates; deployments: Deployments; all: Isolate[] } {
  const names = Array.from({ length: count }, (_, i) => `s${i}`)
  const deployments = new Deployments(...names)
  const isolates = new Isolates('prelude')
  const all = names.map((name, i) => use(isolates, deployments.target(name), NOW_MS - (count - 1 - i) * 1000))
  for (const isolate of all) isolates.enter(isolate)
  return { isolates, deployments, all }
}

const namesOf = (isolates: readonly Isolate[]) => isolates.map(({ target }) => target.name)

describe('Isolates.use()', () => {
  test('gives an id that says whose it is', () => {
    const { id } = use(new Isolates('prelude'), new Deployments('a').target('a'))
    expect(parseIsolateId(id)).toEqual({
      accountId: ACCOUNT,
      script: 'a',
      turnMs: 500,
      digest: 'a-1.prelude',
    })
  })

  test('gives the same isolate for every object of a version', () => {
    const isolates = new Isolates('prelude')
    const deployments = new Deployments('a')
    const before = use(isolates, deployments.target('a'))
    deployments.deploy(entryOf('a'))
    expect(use(isolates, deployments.target('a'), NOW_MS + 5)).toBe(before)
    expect(before.usedAtMs).toBe(NOW_MS + 5)
  })

  test.each<[what: string, change: (deployments: Deployments) => void]>([
    ['other code', d => d.deploy(entryOf('a', { versions: [versionOf('a-2')] }))],
    ['another turn limit', d => d.deploy(entryOf('a', { versions: [versionOf('a-1', { turnMs: 900 })] }))],
    [
      'a script that was deleted and made anew',
      d => {
        d.remove('a')
        d.deploy(entryOf('a'))
      },
    ],
  ])('gives another for %s', (_what, change) => {
    const isolates = new Isolates('prelude')
    const deployments = new Deployments('a')
    const before = use(isolates, deployments.target('a'))
    change(deployments)
    const after = use(isolates, deployments.target('a'))
    expect(after).not.toBe(before)
    expect(after.id).not.toBe(before.id)
  })

  test('gives another while logs are read live', () => {
    const isolates = new Isolates('prelude')
    const target = new Deployments('a').target('a')
    const plain = use(isolates, target)
    const tailing = use(isolates, target, NOW_MS, true)
    expect(parseIsolateId(tailing.id)?.digest).toBe('a-1.prelude+tail')
    expect(use(isolates, target)).toBe(plain)
    expect(use(isolates, target, NOW_MS, true)).toBe(tailing)
  })

  test('never gives an id again once it was given up', () => {
    const isolates = new Isolates('prelude')
    const deployments = new Deployments('a', 'b')
    const ids = new Set<string>()
    for (let i = 0; i < 100; i++) {
      const isolate = use(isolates, deployments.target(i % 3 ? 'a' : 'b'))
      expect(ids.has(isolate.id)).toBe(false)
      expect(parseIsolateId(isolate.id)).toBeDefined()
      ids.add(isolate.id)
      isolates.giveUp(isolate)
    }
  })
})

describe('Isolates.idle()', () => {
  const ALL: EvictOptions = { keep: 0, olderThanMs: 0, atMost: 100 }

  test.each<[what: string, options: Partial<EvictOptions>, expected: string[]]>([
    ['names the least recently used first', {}, ['s0', 's1', 's2', 's3']],
    ['leaves `keep`', { keep: 3 }, ['s0']],
    ['names none when there are no more than `keep`', { keep: 4 }, []],
    ['leaves what was used within `olderThanMs`', { olderThanMs: 2000 }, ['s0', 's1']],
    ['counts those among the kept', { keep: 3, olderThanMs: 2000 }, ['s0']],
    ['names `atMost`', { atMost: 2 }, ['s0', 's1']],
    ['names none where none may be', { atMost: 0 }, []],
  ])('%s', (_what, options, expected) => {
    const { isolates } = loaded(4)
    expect(namesOf(isolates.idle({ ...ALL, ...options }, NOW_MS))).toEqual(expected)
  })

  test('does not name what is not loaded', () => {
    const isolates = new Isolates('prelude')
    const isolate = use(isolates, new Deployments('a').target('a'))
    expect(isolates.idle(ALL, NOW_MS)).toEqual([])
    isolates.enter(isolate)
    expect(isolates.idle(ALL, NOW_MS)).toEqual([isolate])
    isolates.giveUp(isolate)
    expect(isolates.idle(ALL, NOW_MS)).toEqual([])
  })

  const KEEP_ALL: EvictOptions = { keep: 100, olderThanMs: 60_000, atMost: 100 }

  test.each<[what: string, change: (deployments: Deployments) => void, expected: string[]]>([
    ['a script that was deleted', d => d.remove('s1'), ['s1']],
    ['a version that was replaced', d => d.deploy(entryOf('s1', { versions: [versionOf('x')] })), ['s1']],
    [
      'a version whose turn limit was replaced',
      d => d.deploy(entryOf('s1', { versions: [versionOf('s1-1', { turnMs: 1 })] })),
      ['s1'],
    ],
    [
      'a version without the reader of logs, once there is one',
      d => d.deploy(entryOf('s1', { tailingUntilMs: NOW_MS * 2 })),
      ['s1'],
    ],
    [
      'no version that has a share',
      d =>
        d.deploy(
          entryOf('s1', {
            versions: [versionOf('x', { percentage: 99 }), versionOf('s1-1', { percentage: 1 })],
          }),
        ),
      [],
    ],
    ['nothing when nothing changed', d => d.deploy(entryOf('s1')), []],
  ])('names, however many may stay, %s', (_what, change, expected) => {
    const { isolates, deployments } = loaded(3)
    change(deployments)
    const lastUseMs = NOW_MS - 1000
    expect(namesOf(isolates.idle(KEEP_ALL, lastUseMs + SUPERSEDED_MS - 1))).toEqual([])
    expect(namesOf(isolates.idle(KEEP_ALL, lastUseMs + SUPERSEDED_MS))).toEqual(expected)
  })

  test('names what was given up while it loaded', () => {
    const isolates = new Isolates('prelude')
    const isolate = use(isolates, new Deployments('a').target('a'))
    isolates.giveUp(isolate)
    isolates.enter(isolate)
    expect(isolates.idle(KEEP_ALL, NOW_MS + SUPERSEDED_MS)).toEqual([isolate])
  })
})

test('Isolates.oldest() gives the least recently used that is fit', () => {
  const { isolates, all } = loaded(4)
  expect(isolates.oldest(() => true)).toBe(all[0])
  expect(isolates.oldest(isolate => isolate !== all[0])).toBe(all[1])
  expect(isolates.oldest(() => false)).toBeUndefined()
})
