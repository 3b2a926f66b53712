import { didYouMean, nearest } from '../../src/core/nearest.ts'
import { networkProblem } from '../../src/core/networks.ts'
import type { FoundIssue } from '../policies/issues.ts'
import type { GatewayDocument, GatewayRoute } from './document.ts'
import { readMatch } from './match-text.ts'
import type { PathOptions } from './path.ts'
import type { Path } from './places.ts'
import { secretNamesIn } from './secrets.ts'

/** What is wrong, and what is only odd. */
export interface Findings {
  readonly issues: FoundIssue[]
  readonly warnings: FoundIssue[]
}

/** A route whose form is right, and its place in the file. */
export interface PlacedRoute {
  readonly route: GatewayRoute
  readonly index: number
}

/**
 * What a schema of one field at a time can't see about routes: targets, patterns, names, and routes that another
 * one hides.
 *
 * @param policies the names of all policies in the file, right or wrong
 * @param paths how the file's paths are compared; `undefined` = as by default
 */
export function checkRoutes(
  routes: readonly PlacedRoute[],
  policies: ReadonlySet<string>,
  paths: PathOptions | undefined,
  findings: Findings,
): void {
  const names = new Map<string, number>()
  const takers = new Map<string, Taker>()
  for (const placed of routes) {
    const { route, index } = placed
    const at = (...path: (string | number)[]) => ['routes', index, ...path]
    checkTarget(route, at, findings)
    checkMatch(placed, at, paths, takers, findings)
    checkMethods(route, at, findings)
    checkHeaders(route, at, findings)
    checkUse(route, at, policies, findings)
    checkSecrets(route, at, findings)
    if (route.name === undefined) continue
    const other = names.get(route.name)
    if (other === undefined) names.set(route.name, index)
    else {
      const message = `The name "${route.name}" is that of routes[${other}] already; names must differ.`
      findings.issues.push({ path: at('name'), message })
    }
  }
}

/** Settings of the file as a whole. */
export function checkSettings(
  { trusted_proxies = [] }: Partial<GatewayDocument>,
  { issues }: Findings,
): void {
  for (const [i, network] of trusted_proxies.entries()) {
    const problem = networkProblem(network)
    if (problem) issues.push({ path: ['trusted_proxies', i], message: problem })
  }
}

type At = (...path: (string | number)[]) => (string | number)[]

const TARGETS = ['script', 'upstream', 'redirect', 'respond'] as const

function checkTarget(route: GatewayRoute, at: At, { issues }: Findings): void {
  const given = TARGETS.filter(target => route[target] !== undefined)
  const [, second] = given
  if (given.length === 0) {
    issues.push({ path: at(), message: `The route has no target: give it one of ${listOf(TARGETS)}.` })
  }
  if (second) {
    const message = `The route has ${given.length} targets, ${listOf(given)}: leave all but one out.`
    issues.push({ path: at(second), message, at: 'key' })
  }
  if (route.version !== undefined && route.script === undefined) {
    const message = '"version" needs "script": it names a version of that function.'
    issues.push({ path: at('version'), message, at: 'key' })
  }
  const { upstream } = route
  if (typeof upstream === 'object' && upstream.servers.every(({ weight }) => weight === 0)) {
    issues.push({
      path: at('upstream', 'servers'),
      message: 'One server at least must have a weight above 0.',
    })
  }
}

/** Who matches something first. */
interface Taker {
  readonly index: number
  readonly priority: number
  readonly keys: number
}

function checkMatch(
  { route, index }: PlacedRoute,
  at: At,
  paths: PathOptions | undefined,
  takers: Map<string, Taker>,
  { issues }: Findings,
): void {
  const patterns = typeof route.match === 'string' ? [route.match] : route.match
  const templates = templatesOf(route, at)
  for (const [i, text] of patterns.entries()) {
    const path = typeof route.match === 'string' ? at('match') : at('match', i)
    const match = readMatch(text, paths)
    if ('problem' in match) {
      issues.push({ path, message: match.problem })
      continue
    }
    for (const { template, path } of templates) {
      for (const name of placeholdersOf(template).filter(name => !match.params.includes(name))) {
        const shown = name === '*' ? '"*"' : `":${name}"`
        issues.push({
          path,
          message: `${shown} is not in the match "${text}"${didYouMean(name, match.params)}`,
        })
      }
    }
    const keys = match.keys.map(key => conditionsOf(key, route))
    const hider = hiderOf(keys, route.priority, takers)
    if (hider) {
      const where = hider.index === index ? 'This route' : `routes[${hider.index}]`
      const message = `${where} matches exactly the same already: never would a request come here.`
      issues.push({ path, message })
    }
    const taker = { index, priority: route.priority, keys: keys.length }
    for (const key of keys) if (!takers.has(key)) takers.set(key, taker)
  }
}

/** The route that takes all that a pattern matches; a part of it may be left to another of higher priority. */
function hiderOf(
  keys: readonly string[],
  priority: number,
  takers: ReadonlyMap<string, Taker>,
): Taker | undefined {
  const found = keys.map(key => takers.get(key))
  const hides = found.every(taker => taker && (priority <= taker.priority || taker.keys === keys.length))
  return hides ? found[0] : undefined
}

/** Texts in which parts of the path are put. */
function templatesOf({ rewrite, redirect }: GatewayRoute, at: At): { template: string; path: Path }[] {
  const short = typeof redirect === 'string'
  const to = short ? redirect : redirect?.to
  return [
    ...(rewrite === undefined ? [] : [{ template: rewrite, path: at('rewrite') }]),
    ...(to === undefined ? [] : [{ template: to, path: short ? at('redirect') : at('redirect', 'to') }]),
  ]
}

/** Its `:name`s and `*`; the colons of `https:` and of a port are none. */
function placeholdersOf(template: string): string[] {
  return [...new Set([...template.matchAll(/:([A-Za-z_]\w*)|\*/g)].map(([, name = '*']) => name))]
}

function conditionsOf(key: string, { methods, headers, query }: GatewayRoute): string {
  const entries = (record: GatewayRoute['headers'], toKey = (name: string) => name) =>
    Object.entries(record ?? {})
      .map(([name, value]) => [toKey(name), value])
      .sort()
  return JSON.stringify([
    key,
    methods ? [...new Set(methods)].sort() : null,
    entries(headers, name => name.toLowerCase()),
    entries(query),
  ])
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'QUERY']

function checkMethods({ methods = [] }: GatewayRoute, at: At, { issues, warnings }: Findings): void {
  for (const [i, method] of methods.entries()) {
    const path = at('methods', i)
    if (!/^[A-Z][A-Z0-9-]{0,31}$/.test(method)) {
      issues.push({ path, message: `"${method}" is not a method.` })
    } else if (!METHODS.includes(method) && nearest(method, METHODS)) {
      warnings.push({ path, message: `"${method}" is no usual method${didYouMean(method, METHODS)}` })
    }
  }
}

function checkHeaders({ headers = {}, respond }: GatewayRoute, at: At, { issues }: Findings): void {
  for (const name of Object.keys(headers)) {
    if (!isHeader(name, '')) {
      issues.push({ path: at('headers', name), message: `"${name}" can't be a header's name.`, at: 'key' })
    }
  }
  for (const [name, value] of Object.entries(respond?.headers ?? {})) {
    if (isHeader(name, value)) continue
    const message = `"${name}" can't be a header with this value: no line breaks or control characters.`
    issues.push({ path: at('respond', 'headers', name), message })
  }
}

function isHeader(name: string, value: string): boolean {
  try {
    new Headers([[name, value]])
    return true
  } catch {
    return false
  }
}

function checkUse({ use }: GatewayRoute, at: At, policies: ReadonlySet<string>, { issues }: Findings): void {
  for (const [i, name] of use.entries()) {
    const path = at('use', i)
    if (!policies.has(name)) {
      issues.push({ path, message: `There is no policy "${name}"${suggest(name, policies, issues)}` })
    } else if (use.indexOf(name) < i) {
      issues.push({ path, message: `The policy "${name}" is in this list already; it would run twice.` })
    }
  }
}

/** Secrets go to policies and signatures; anywhere else they would be shown to callers or in answers of the API. */
function checkSecrets(route: GatewayRoute, at: At, { issues, warnings }: Findings): void {
  const { identity_headers, respond, ...rest } = route
  for (const [key, value] of Object.entries({ ...rest, respond: respond?.headers })) {
    const [name] = secretNamesIn(value)
    if (name === undefined) continue
    const message = `The secret "${name}" can't be used here: only in policies and in "identity_headers".`
    issues.push({ path: at(key), message })
  }
  if (identity_headers && secretNamesIn(identity_headers.secret).length === 0) {
    const message =
      'The text of a secret stands in the file: use "secret:NAME", and `skerry gateway secret put NAME`.'
    warnings.push({ path: at('identity_headers', 'secret'), message })
  }
}

/** `didYouMean`, for the first hundred problems: it takes a while among many names. */
export function suggest(name: string, known: Iterable<string>, found: readonly FoundIssue[]): string {
  return found.length < 100 ? didYouMean(name, known) : '.'
}

function listOf(words: readonly string[]): string {
  return `${words.slice(0, -1).join(', ')} ${words.length > 2 ? 'or' : 'and'} ${words.at(-1)}`
}
