import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { DEFAULT_PATHS, normalisePath, type PathOptions } from '../../routes/gateway/path.ts'
import { parsePatterns } from '../../routes/gateway/pattern.ts'
import { GatewayTable } from '../../routes/gateway/table.ts'

/**
 * Published cases of routers with a similar syntax. What is not in ours, and where we differ, is listed with the
 * reason; each list must be exactly what there is. Without ../shared/vectors these tests are skipped.
 */

const VECTORS = join(import.meta.dirname, '../../../shared/vectors/url')
const hasVectors = existsSync(VECTORS)

function readVectors<T>(file: string): T {
  return JSON.parse(readFileSync(join(VECTORS, file), 'utf8')) as T
}

const STRICT: PathOptions = { ...DEFAULT_PATHS, trailing_slash: 'strict' }

interface Asked {
  readonly match: string | string[]
  readonly host?: string
  readonly path: string
  readonly method?: string
  readonly methods?: string[]
  readonly paths?: PathOptions
}

/** The parameters of one route for a path; `null` for none, or for a path that is refused. */
function match({ match, host = 'app.localhost', path, method = 'GET', methods, paths = STRICT }: Asked) {
  const table = new GatewayTable<null>()
  const route = { match, priority: 0, ...(methods && { methods }) }
  table.set('a', [{ route, value: null }], { paths, workersDomain: 'localhost' })
  const normal = normalisePath(path, paths)
  if (normal.refused !== undefined) return null
  return table.match(host, normal.path, { method, headers: { get: () => null }, url: '' })?.params ?? null
}

/** What the parser says against a pattern; `undefined` if nothing. */
function refusalOf(patterns: string | readonly string[]): string | undefined {
  try {
    for (const text of [patterns].flat()) parsePatterns(text, STRICT)
    return undefined
  } catch (error) {
    return String(error)
  }
}

/** Why a pattern is none of ours. The first that fits. */
const OUT_OF_SYNTAX: readonly (readonly [RegExp, string])[] = [
  [/^[^/]|^$/, 'a path begins with a slash'],
  [/(?<!\\)\{/, 'no groups, no expressions'],
  [/(?<!\\)\(/, 'no expressions; a parenthesis is written "\\("'],
  [/:\w+\+|\*\*|\*[?+]/, 'no repetition but "*" at the end'],
  [/\/:\w+\*/, 'no names for "*"'],
  [/\*\w/, 'no names for "*", and nothing after it in its segment'],
  [/:\w+[^/]*:/, 'one parameter a segment'],
  [/:(\w+)\/:\1$/, 'names differ'],
  [/(?<!\\):(\w*[^\x20-\x7e]|\W)/, 'names have ASCII letters, digits and underscores'],
  [/\\\w/, 'a backslash stands before a character with a meaning'],
  [/\/\.\.?\//, 'patterns are written resolved'],
]

/** Whether a pattern is ours; the list and the parser must be of the same opinion. */
function isOurs(patterns: string | readonly string[]): boolean {
  const reason = [patterns].flat().some(text => OUT_OF_SYNTAX.some(([form]) => form.test(text)))
  expect(refusalOf(patterns) !== undefined, `${patterns}: ${refusalOf(patterns)}`).toBe(reason)
  return !reason
}

interface HonoCase {
  readonly name: string
  readonly routes: readonly (readonly [method: string, path: string, name: string])[]
  readonly matches: readonly {
    readonly method: string
    readonly path: string
    readonly expect: readonly (readonly [name: string, params: Record<string, string>])[]
  }[]
}

describe.skipIf(!hasVectors)("Hono's router cases", () => {
  const DIFFERENCES = {
    'Trailing slash > GET /book/ /book/': 'a trailing slash is ignored unless trailing_slash = "strict"',
  }

  test('give the same for every route, one at a time', () => {
    const { cases } = readVectors<{ cases: HonoCase[] }>('hono-router-cases.json')
    const differing: string[] = []
    let compared = 0
    for (const { name, routes, matches } of cases) {
      const ours = routes.map(([, path]) => path.replace(/^\*$/, '/*'))
      const paths = ours.map(path => path.slice(path.indexOf('/')))
      if (!paths.every(path => isOurs(path))) continue
      for (const asked of matches) {
        const slash = asked.path.indexOf('/')
        const found = routes.flatMap(([method, , handler], i) => {
          const params = match({
            match: ours[i] ?? '',
            ...(slash > 0 && { host: asked.path.slice(0, slash) }),
            path: asked.path.slice(slash),
            method: asked.method.toUpperCase(),
            ...(method !== 'ALL' && { methods: [method.toUpperCase()] }),
            paths: DEFAULT_PATHS,
          })
          if (!params) return []
          const { '*': _rest, ...named } = params
          return [[handler, named]]
        })
        compared++
        if (JSON.stringify(sorted(found)) !== JSON.stringify(sorted(asked.expect))) {
          differing.push(`${name} ${asked.path}`)
        }
      }
    }
    expect(differing).toEqual(Object.keys(DIFFERENCES))
    expect(compared).toBe(65)
  })
})

interface ExpressCase {
  readonly path: string | string[]
  readonly options?: { sensitive?: boolean; trailing?: boolean; end?: boolean; delimiter?: string }
  readonly tests: readonly {
    readonly input: string
    readonly expect: { readonly params: Record<string, string> } | null
  }[]
}

describe.skipIf(!hasVectors)("path-to-regexp's cases", () => {
  const DIFFERENCES = {
    '/test/ /test': 'a trailing slash is ignored in patterns, too',
    '/:test /;,:@&=+$-_.!~*()': 'a path parameter without a name is refused',
    '/.\\+\\*\\?\\{\\}=^\\!\\:$\\[\\]\\| /.+*?{}=^!:$[]|': 'a path has no "?"',
    '/:foo\\? /route?': 'a path has no "?"',
  }

  test('give the same', () => {
    const { cases } = readVectors<{ cases: ExpressCase[] }>('path-to-regexp-match.json')
    const differing: string[] = []
    let compared = 0
    for (const { path, options = {}, tests } of cases) {
      // Not ours: beginnings of paths ("*" says so here), and other things than paths.
      if (options.end === false || options.delimiter !== undefined) continue
      if (!isOurs(path)) continue
      const paths: PathOptions = {
        ...DEFAULT_PATHS,
        case: options.sensitive ? 'sensitive' : 'insensitive',
        trailing_slash: options.trailing === false ? 'strict' : 'ignore',
      }
      for (const { input, expect: expected } of tests) {
        compared++
        const params = match({ match: path, path: input, paths })
        // They decode parameters.
        const decoded = params && mapValues(params, decodeURIComponent)
        const wanted = expected && mapValues(expected.params, decodeOnce)
        if (JSON.stringify(decoded && mapValues(decoded, decodeOnce)) !== JSON.stringify(wanted)) {
          differing.push(`${path} ${input}`)
        }
      }
    }
    expect(differing).toEqual(Object.keys(DIFFERENCES))
    expect(compared).toBe(50)
  })
})

interface Parts {
  readonly baseURL?: string
  readonly hostname?: string
  readonly pathname?: string
}

interface UrlPatternCase {
  readonly pattern: readonly (object | string)[]
  readonly inputs?: readonly (Parts | string)[]
  readonly expected_match?: { pathname?: { groups: Record<string, string | null> } } | null | 'error'
  readonly expected_obj?: unknown
}

describe.skipIf(!hasVectors)("URLPattern's cases (WPT)", () => {
  const DIFFERENCES = {
    '/caf%c3%a9 /café': 'escapes are the same in both cases',
  }

  test('give the same for pathnames', () => {
    const { vectors } = readVectors<{ vectors: UrlPatternCase[] }>('urlpattern-wpt.json')
    const differing: string[] = []
    let compared = 0
    for (const { pattern, inputs, expected_match, expected_obj } of vectors) {
      const [given, options] = pattern
      const pathname = only(given, 'pathname')
      if (pathname === undefined || typeof options === 'string') continue
      if (expected_obj === 'error') expect(refusalOf(pathname)).toBeDefined()
      if (expected_obj === 'error' || expected_match === 'error' || !isOurs(pathname)) continue
      const [input] = inputs ?? []
      const isRelative = typeof input === 'string' && !input.includes('://')
      if (input === undefined || isRelative) continue
      const path = typeof input === 'string' ? new URL(input).pathname : pathOf(input)
      if (path === undefined) continue
      const paths: PathOptions = { ...STRICT, case: options ? 'insensitive' : 'sensitive' }
      // Theirs number what has no name.
      const params = match({ match: pathname, path, paths })
      const ours = params && Object.entries(params).map(([name, value]) => [name === '*' ? '0' : name, value])
      const groups = expected_match?.pathname?.groups
      const theirs = groups ? Object.entries(groups).filter(([, value]) => value !== null) : null
      compared++
      if (JSON.stringify(sorted(ours)) !== JSON.stringify(sorted(theirs)))
        differing.push(`${pathname} ${path}`)
    }
    expect(differing).toEqual(Object.keys(DIFFERENCES))
    expect(compared).toBe(37)
  })

  test('give the same for host names', () => {
    const { vectors } = readVectors<{ vectors: UrlPatternCase[] }>('urlpattern-wpt.json')
    let compared = 0
    for (const { pattern, inputs, expected_match, expected_obj } of vectors) {
      const [given] = pattern
      const hostname = only(given, 'hostname')
      if (hostname === undefined) continue
      // Parameters, groups and IPv6 addresses in hosts are not ours; what they find wrong is wrong here, too.
      if (expected_obj === 'error' || /[:{[]/.test(hostname)) {
        expect(refusalOf(`${hostname}/*`)).toBeDefined()
      } else {
        const [input] = inputs ?? []
        const host = new URL(`http://${(input as Parts).hostname}`).hostname
        const isMatch = match({ match: `${hostname}/*`, host, path: '/' }) !== null
        expect(isMatch, hostname).toBe(expected_match !== null)
      }
      compared++
    }
    expect(compared).toBe(31)
  })
})

const pathOf = ({ pathname = '', baseURL }: Parts) =>
  baseURL === undefined ? pathname : new URL(pathname, baseURL).pathname

/** The value of a pattern's only key. */
function only(given: unknown, key: string): string | undefined {
  const [[name, value] = [], ...others] = Object.entries(typeof given === 'object' && given ? given : {})
  return name === key && others.length === 0 && typeof value === 'string' ? value : undefined
}

const sorted = (list: readonly unknown[] | null | undefined) =>
  list?.map(item => JSON.stringify(item, (_, value) => (isRecord(value) ? sortKeys(value) : value))).sort() ??
  null

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const sortKeys = (record: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)))

const mapValues = (record: Readonly<Record<string, string>>, map: (value: string) => string) =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]))

/** Some of their cases decode parameters, others don't. */
const decodeOnce = (text: string) => (/^[^%]*(?:%[C-F].%..)+/.test(text) ? decodeURIComponent(text) : text)
