import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RouteTable } from '../../routes/table.ts'
import { LIMITS } from '../../src/core/limits.ts'
import type { AccountChanges, HostRoute, ScriptEntry } from '../../src/core/routing.ts'

const version = (id: string) => ({
  id,
  isolate: id,
  percentage: 100,
  reads: { cf: false, clientHeaders: false },
  hasFetch: true,
  turnMs: 500,
})

const script = (name: string, more: Partial<ScriptEntry> = {}): ScriptEntry => ({
  name,
  workersDev: true,
  previews: true,
  tailingUntilMs: 0,
  versions: [version(`${name}-1`)],
  ...more,
})

const changes = (more: Partial<AccountChanges> = {}): AccountChanges => ({
  accountId: 'a',
  workersDomain: 'localhost',
  from: 0,
  to: 1,
  scripts: [],
  removed: [],
  ...more,
})

const route = (pattern: string, to: string | null, customDomain = false): HostRoute => ({
  pattern,
  script: to,
  customDomain,
})

function tableWith(routes: HostRoute[], scripts = ['one', 'two', 'three']): RouteTable {
  const table = new RouteTable()
  table.apply(changes({ scripts: scripts.map(name => script(name)), routes }))
  return table
}

const nameAt = (table: RouteTable, url: string) => {
  const slash = url.indexOf('/')
  return table.match(url.slice(0, slash), url.slice(slash))?.target.name
}

describe('RouteTable.match()', () => {
  const table = tableWith([
    route('shop.example.com/*', 'one'),
    route('shop.example.com/api/*', 'two'),
    route('shop.example.com/api/exact', 'three'),
    route('shop.example.com/closed/*', null),
    route('*.example.com/*', 'two'),
    route('*.deep.example.com/*', 'three'),
    route('*example.org/*', 'one'),
    route('own.example.net/*', 'two', true),
    route('own.example.net/old*', 'one'),
  ])
  it.each([
    ['one.localhost/', 'one', "a script's own host"],
    ['shop.example.com/', 'one', 'an open route'],
    ['shop.example.com/api/x', 'two', 'the longer path'],
    ['shop.example.com/api/exact', 'three', 'the exact path before the open one'],
    ['shop.example.com/api/exact/more', 'two', 'an exact path takes nothing below it'],
    ['shop.example.com/closed/x', undefined, 'a route to no script'],
    ['any.example.com/', 'two', 'a wildcard host'],
    ['a.b.example.com/', 'two', 'a wildcard takes several labels'],
    ['x.deep.example.com/', 'three', 'the longer wildcard'],
    ['example.com/', undefined, 'a wildcard leaves the bare name out'],
    ['example.org/', 'one', '*name takes the bare name'],
    ['www.example.org/', 'one', '*name takes names below'],
    ['notexample.org/', undefined, '*name stops at a label'],
    ['own.example.net/x', 'two', 'a custom domain'],
    ['own.example.net/older', 'one', 'a route before a custom domain'],
    ['nobody.localhost/', undefined, 'an unknown host'],
    ['localhost/', undefined, 'the apex is the platform’s'],
  ] as [string, string | undefined, string][])('%s → %s: %s', (url, expected) => {
    expect(nameAt(table, url)).toBe(expected)
  })

  it('finds a preview by the first 8 digits of a version', () => {
    const match = table.match('0123abcd-one.localhost', '/')
    expect(match).toMatchObject({ kind: 'preview', prefix: '0123abcd', target: { name: 'one' } })
  })

  it('prefers a script whose name looks like a preview', () => {
    const match = tableWith([], ['one', '0123abcd-one']).match('0123abcd-one.localhost', '/')
    expect(match).toMatchObject({ kind: 'script', target: { name: '0123abcd-one' } })
  })

  it('answers no preview for a script that switched them off', () => {
    const closed = new RouteTable()
    closed.apply(changes({ scripts: [script('one', { previews: false })] }))
    expect(closed.match('0123abcd-one.localhost', '/')).toBeUndefined()
  })

  it('keeps accounts apart', () => {
    const two = new RouteTable()
    two.apply(changes({ scripts: [script('app')] }))
    two.apply(changes({ accountId: 'b', workersDomain: 'acme.localhost', scripts: [script('app')] }))
    expect(two.match('app.localhost', '/')?.target.accountId).toBe('a')
    expect(two.match('app.acme.localhost', '/')?.target.accountId).toBe('b')
    expect(two.script('b', 'app')?.accountId).toBe('b')
  })
})

describe('RouteTable.apply()', () => {
  it('takes a removed script and its routes away', () => {
    const table = tableWith([route('x.example.com/*', 'one')])
    table.apply(changes({ from: 1, to: 2, removed: ['one'] }))
    expect(nameAt(table, 'one.localhost/')).toBeUndefined()
    expect(nameAt(table, 'x.example.com/')).toBeUndefined()
  })

  it('keeps the target object, and its count, over a new version', () => {
    const table = tableWith([])
    const before = table.script('a', 'one')
    const slots = Array.from({ length: LIMITS.concurrency }, () => before?.gate.enter(0))
    table.apply(changes({ from: 1, to: 2, scripts: [script('one', { versions: [version('new')] })] }))
    expect(table.script('a', 'one')).toBe(before)
    expect(slots.at(-1)).toBeDefined()
    expect(table.script('a', 'one')?.gate.enter(0)).toBeUndefined()
    expect(before?.sole?.id).toBe('new')
  })

  it('ignores a change that is older than what it holds', () => {
    const table = tableWith([])
    table.apply(changes({ from: 1, to: 5, scripts: [script('one', { versions: [version('newest')] })] }))
    table.apply(changes({ from: 1, to: 4, scripts: [script('one', { versions: [version('older')] })] }))
    expect(table.script('a', 'one')?.sole?.id).toBe('newest')
  })

  it('tells a change that leaves a gap', () => {
    const table = tableWith([])
    expect(table.follows(changes({ from: 1, to: 2 }))).toBe(true)
    expect(table.follows(changes({ from: 2, to: 3 }))).toBe(false)
    expect(table.follows(changes({ from: 0, to: 9 }))).toBe(true)
  })

  it('forgets scripts that a whole picture lacks', () => {
    const table = tableWith([])
    table.apply(changes({ to: 9, scripts: [script('two')], routes: [] }))
    expect(nameAt(table, 'one.localhost/')).toBeUndefined()
    expect(nameAt(table, 'two.localhost/')).toBe('two')
  })

  it('lets a script off its own host', () => {
    const table = tableWith([route('x.example.com/*', 'one')])
    table.apply(changes({ from: 1, to: 2, scripts: [script('one', { workersDev: false })] }))
    expect(nameAt(table, 'one.localhost/')).toBeUndefined()
    expect(nameAt(table, 'x.example.com/')).toBe('one')
  })

  it('gives the same answers fed at once or step by step', () => {
    const names = fc.constantFrom('one', 'two', 'three')
    const step = fc.record({
      present: fc.uniqueArray(names),
      routes: fc.array(
        fc.record({
          host: fc.constantFrom('a.com', '*.a.com', 'b.com'),
          path: fc.constantFrom('/*', '/x', '/x/*'),
          to: names,
        }),
        { maxLength: 5 },
      ),
    })
    const urls = ['one.localhost/', 'two.localhost/', 'three.localhost/', 'a.com/x', 'x.a.com/x/y', 'b.com/']
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 6 }), steps => {
        const stepwise = new RouteTable()
        let before: readonly string[] = []
        let last: AccountChanges = changes()
        steps.forEach(({ present, routes }, index) => {
          const unique = [
            ...new Map(routes.map(r => [r.host + r.path, route(r.host + r.path, r.to)])).values(),
          ]
          last = changes({ to: index + 1, scripts: present.map(name => script(name)), routes: unique })
          const removed = before.filter(name => !(present as string[]).includes(name))
          stepwise.apply({ ...last, from: index, removed })
          before = present
        })
        const once = new RouteTable()
        once.apply(last)
        for (const url of urls) expect(nameAt(stepwise, url)).toBe(nameAt(once, url))
      }),
    )
  })
})
