import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DEFAULT_PATHS } from '../../routes/gateway/path.ts'
import { GatewayTable } from '../../routes/gateway/table.ts'

/**
 * The table against a model that is slow and obvious: every route is a regular expression, all of them are tried, and
 * those that match are sorted by what docs/routing.md says.
 */

interface Piece {
  readonly text: string
  /** A regular expression for one segment, or for the rest. */
  readonly source: string
  readonly kind: 'literal' | 'affixes' | 'text*' | 'param' | '*'
  /** Literal characters; the prefix counts before the suffix. */
  readonly literals: readonly [all: number, prefix: number]
  readonly param?: string
}

interface Route {
  readonly host: string
  readonly pieces: readonly Piece[]
  readonly slash: boolean
  readonly priority: number
  readonly methods: string[] | undefined
  readonly header: string | boolean | undefined
}

const KINDS = ['end', 'literal', 'affixes', 'text*', 'param', '*']
const word = fc.constantFrom('a', 'b', 'ab', 'ba')

const literal = word.map((text): Piece => ({ text, source: text, kind: 'literal', literals: [0, 0] }))
const affix = fc.tuple(fc.constantFrom('', 'a', 'ab'), fc.constantFrom('', '-', '-b'))
const param = affix.map(([prefix, suffix]): Omit<Piece, 'param'> & { prefix: string; suffix: string } => ({
  text: '',
  source: `${prefix}([^/]+)${suffix}`,
  kind: prefix + suffix === '' ? 'param' : 'affixes',
  literals: [prefix.length + suffix.length, prefix.length],
  prefix,
  suffix,
}))
const star: Piece = { text: '*', source: '[^/]+', kind: 'param', literals: [0, 0] }

const segments = fc.array(fc.oneof({ weight: 3, arbitrary: literal }, param, fc.constant(star)), {
  maxLength: 4,
})
const end = fc.constantFrom('', '', '*', 'a*', 'ab*')

const pieces = fc.tuple(segments, end).map(([given, last]): Piece[] => {
  const named = given.map((piece, i): Piece => {
    if (!('prefix' in piece)) return piece
    const { prefix, suffix, ...rest } = piece
    return { ...rest, text: `${prefix}:p${i}${suffix}`, param: `p${i}` }
  })
  // A "*" that comes last would be the rest.
  if (last === '') return named.slice(0, named.findLastIndex(({ text }) => text !== '*') + 1)
  const prefix = last.slice(0, -1)
  const kind = prefix === '' ? '*' : 'text*'
  return [
    ...named,
    { text: last, source: `${prefix}(.*)`, kind, literals: [prefix.length, prefix.length], param: '*' },
  ]
})

const route: fc.Arbitrary<Route> = fc.record({
  host: fc.constantFrom('', '', 'x.e.com', '*.e.com', '*.f.e.com', 'x.f.e.com'),
  pieces,
  slash: fc.boolean(),
  priority: fc.constantFrom(0, 0, 0, 1, -1),
  methods: fc.constantFrom(undefined, undefined, ['GET'], ['POST', 'PUT']),
  header: fc.constantFrom(undefined, undefined, 'red', true, false),
})

const asked = fc.record({
  host: fc.constantFrom('x.e.com', 'y.e.com', 'x.f.e.com', 'y.f.e.com', 'app.localhost', 'other.org'),
  segments: fc.array(
    fc.oneof(word, fc.constantFrom('c', 'aab', 'abb', 'bb', 'aa-b', 'a-b', 'c-', 'abc-b', '-b')),
    { maxLength: 5 },
  ),
  slash: fc.boolean(),
  method: fc.constantFrom('GET', 'HEAD', 'POST', 'DELETE'),
  team: fc.constantFrom(undefined, 'red', 'blue'),
})

type Asked = typeof asked extends fc.Arbitrary<infer T> ? T : never
type Slashes = 'ignore' | 'strict'

const endsWithRest = ({ pieces }: Route) => ['*', 'text*'].includes(pieces.at(-1)?.kind ?? '')

function pathOf(route: Route): string {
  const path = `/${route.pieces.map(({ text }) => text).join('/')}`
  // "/" and what ends in "*" have no slash to add.
  return route.slash && route.pieces.length > 0 && !endsWithRest(route) ? `${path}/` : path
}

function expressionOf(route: Route, slashes: Slashes): RegExp {
  const sources = route.pieces.map(({ source }) => `/${source}`)
  if (slashes === 'ignore') {
    const last = route.pieces.at(-1)
    if (last?.kind === '*') sources.splice(-1, 1, '(?:/(.*))?')
    return new RegExp(`^${sources.join('')}${endsWithRest(route) ? '' : '/?'}$`)
  }
  const slash = sources.length === 0 || pathOf(route).endsWith('/') ? '/' : ''
  return new RegExp(`^${sources.join('')}${slash}$`)
}

const askedPath = ({ segments, slash }: Asked) =>
  `/${segments.join('/')}${slash && segments.length > 0 ? '/' : ''}`

function hostFits(route: Route, host: string, routes: readonly Route[]): boolean {
  const fits = (pattern: string) =>
    pattern === host || (pattern[0] === '*' && host.endsWith(pattern.slice(1)))
  if (route.host !== '') return fits(route.host)
  return host === 'app.localhost' || routes.some(other => other.host !== '' && fits(other.host))
}

function methodFits({ methods }: Route, method: string): boolean {
  return !methods || methods.includes(method) || (method === 'HEAD' && methods.includes('GET'))
}

function headerFits({ header }: Route, team: string | undefined): boolean {
  if (header === undefined) return true
  return typeof header === 'boolean' ? header === (team !== undefined) : header === team
}

/** Smaller is more specific; compared one after the other. */
function rankOf(route: Route): (number | string)[] {
  const host = route.host === '' ? 2 : route.host[0] === '*' ? 1 : 0
  const path = Array.from({ length: 6 }, (_, i) => {
    const piece = route.pieces[i]
    return [KINDS.indexOf(piece?.kind ?? 'end'), -(piece?.literals[0] ?? 0), -(piece?.literals[1] ?? 0)]
  })
  const conditions = Number(route.methods !== undefined) + Number(route.header !== undefined)
  return [-route.priority, host, host === 1 ? -route.host.length : 0, ...path.flat(), -conditions]
}

function compareRanks(a: Route, b: Route): number {
  const [rankA, rankB] = [rankOf(a), rankOf(b)]
  const i = rankA.findIndex((part, at) => part !== rankB[at])
  return i < 0 ? 0 : Number(rankA[i]) - Number(rankB[i])
}

/** What the table must answer, and the methods that it must name if it finds nothing. */
function ask(routes: readonly Route[], question: Asked, slashes: Slashes) {
  const path = askedPath(question)
  const fitting = routes.filter(
    route =>
      hostFits(route, question.host, routes) &&
      expressionOf(route, slashes).test(path) &&
      headerFits(route, question.team),
  )
  const methods = fitting.flatMap(({ methods }) => methods ?? [])
  const [best] = fitting.filter(route => methodFits(route, question.method)).toSorted(compareRanks)
  if (!best) return { match: undefined, methods }
  const values = expressionOf(best, slashes).exec(path)?.slice(1) ?? []
  const names = best.pieces.flatMap(({ param }) => param ?? [])
  const params = Object.fromEntries(names.map((name, i) => [name, values[i] ?? '']))
  return { match: { value: routes.indexOf(best), params }, methods }
}

describe.each(['ignore', 'strict'] as const)('the table, with trailing slashes: %s', slashes => {
  test('finds what trying every route finds, and explains it so', () => {
    let found = 0
    fc.assert(
      fc.property(
        fc.array(route, { minLength: 1, maxLength: 25 }),
        fc.array(asked, { minLength: 5, maxLength: 20 }),
        (routes, questions) => {
          const table = new GatewayTable<number>()
          const entries = routes.map((route, value) => ({
            route: {
              match: route.host + pathOf(route),
              priority: route.priority,
              ...(route.methods && { methods: route.methods }),
              ...(route.header !== undefined && { headers: { 'X-Team': route.header } }),
            },
            value,
          }))
          table.set('a', entries, {
            paths: { ...DEFAULT_PATHS, trailing_slash: slashes },
            workersDomain: 'localhost',
          })
          for (const question of questions) {
            const { host, method, team } = question
            const path = askedPath(question)
            const request = new Request(`http://${host}${path}`, {
              method,
              ...(team && { headers: { 'x-team': team } }),
            })
            const expected = ask(routes, question, slashes)
            expect(table.match(host, path, request)).toEqual(expected.match)
            const explained = table.explain(host, path, request).filter(({ matched }) => matched)
            expect(explained.map(({ value }) => value)).toEqual(expected.match ? [expected.match.value] : [])
            if (expected.match) found++
            else {
              const allowed = new Set(table.allowedMethods(host, path, request))
              allowed.delete('HEAD')
              expect(allowed).toEqual(new Set(expected.methods))
            }
          }
        },
      ),
      { numRuns: 400 },
    )
    // Some 600, with a standard deviation of 36.
    expect(found).toBeGreaterThan(300)
  })
})
