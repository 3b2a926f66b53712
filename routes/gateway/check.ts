import { safeParse } from 'valibot'
import { toSkerryError } from '../../src/core/errors.ts'
import { type FoundIssue, findIssues } from '../policies/issues.ts'
import { POLICY_KINDS } from '../policies/kinds.ts'
import { AccountRoutes } from './account-routes.ts'
import { checkPolicies, missingSecret, type PolicyCheck } from './check-policies.ts'
import { checkRoutes, checkSettings, type Findings, type PlacedRoute } from './check-routes.ts'
import { documentSchema, type GatewayDocument, routeSchema } from './document.ts'
import { readMatch } from './match-text.ts'
import type { PathOptions } from './path.ts'
import type { Path } from './places.ts'
import { nameRoutes } from './route-names.ts'
import { secretNameOf, secretNamesIn } from './secrets.ts'
import { createUpstream } from './upstream.ts'

/** A gateway file that may be applied, or all that is wrong with it. Warnings don't keep it from being applied. */
export type Check =
  | { readonly document: GatewayDocument; readonly warnings: readonly FoundIssue[] }
  | { readonly issues: readonly FoundIssue[]; readonly warnings: readonly FoundIssue[] }

/**
 * Checks a gateway file: its form, its policies' options by their kinds, and what only shows when all of it is
 * looked at. Finds everything at once.
 *
 * @param secrets the texts of the account's secrets, by name; without them what depends on them isn't checked
 * @param secretNames their names alone, for who may not have the texts looked at: what isn't there is still found
 * @returns the document with its defaults and a name for each route. Policies' options stay as written, with
 *   references to secrets in them: `compileGateway` reads them again.
 */
export function checkDocument(
  written: unknown,
  { secrets, kinds = POLICY_KINDS, ...rest }: Partial<PolicyCheck> = {},
): Check {
  const value = withoutSchema(written)
  const findings: Findings = {
    issues: [...findIssues(documentSchema, value), ...findOddities(value)],
    warnings: [],
  }
  const { issues, warnings } = findings
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { issues, warnings }

  const { routes: writtenRoutes, policies: writtenPolicies } = value as Record<string, unknown>
  const routes = placeRoutes(writtenRoutes)
  const policies = isTable(writtenPolicies) ? writtenPolicies : {}
  checkRoutes(routes, new Set(Object.keys(policies)), pathsOf(value), findings)
  const secretNames = rest.secretNames ?? (secrets && new Set(Object.keys(secrets)))
  const parts = checkPolicies(policies, { kinds, secrets, secretNames }, findings)
  for (const { route, index } of routes) checkSigner(route, index, secretNames, issues)
  warnUnused(policies, writtenRoutes, parts, warnings)

  const parsed = safeParse(documentSchema, value)
  if (parsed.success) checkSettings(parsed.output, findings)
  if (parsed.success && issues.length === 0) layRoutes(parsed.output, issues)
  if (!parsed.success || issues.length > 0) return { issues, warnings }
  const names = nameRoutes(parsed.output.routes)
  const named = parsed.output.routes.map((route, i) => ({ ...route, name: names[i] as string }))
  return { document: { ...parsed.output, routes: named }, warnings }
}

/** Editors look there for the file's schema; it means nothing else. */
function withoutSchema(value: unknown): unknown {
  if (!isTable(value)) return value
  const { $schema: _, ...rest } = value
  return rest
}

/** The names of the secrets that a document refers to. */
export function secretsOf({ routes, policies }: GatewayDocument): string[] {
  return secretNamesIn([policies, routes.map(({ identity_headers }) => identity_headers?.secret)])
}

/** The hosts that a document's routes are for, as claims: exact, or `*.example.com`; each once. */
export function hostsOf(document: GatewayDocument): string[] {
  return [...new Set(placedHostsOf(document).map(({ host }) => host))]
}

/** The same with where each stands, for messages. */
export function placedHostsOf({ routes, paths }: GatewayDocument): { host: string; path: Path }[] {
  return routes.flatMap(({ match }, index) => {
    const patterns = typeof match === 'string' ? [match] : match
    return patterns.flatMap((text, i) => {
      const read = readMatch(text, paths)
      if ('problem' in read || read.host === undefined) return []
      const path = ['routes', index, 'match', ...(typeof match === 'string' ? [] : [i])]
      return [{ host: read.host, path }]
    })
  })
}

/** The names of the functions that a document's routes lead to, each with the first place that names it. */
export function scriptsOf({ routes }: GatewayDocument): Map<string, Path> {
  const scripts = new Map<string, Path>()
  for (const [index, { script }] of routes.entries()) {
    if (script !== undefined && !scripts.has(script)) scripts.set(script, ['routes', index, 'script'])
  }
  return scripts
}

/** How paths are compared, if that is written rightly. */
function pathsOf(value: object): PathOptions | undefined {
  const parsed = safeParse(documentSchema.entries.paths, (value as Record<string, unknown>).paths)
  return parsed.success ? parsed.output : undefined
}

/** Routes of which the form is right: what is wrong between them can be told whatever else is wrong. */
function placeRoutes(written: unknown): PlacedRoute[] {
  if (!Array.isArray(written)) return []
  return written.flatMap((each, index) => {
    const parsed = safeParse(routeSchema, each)
    return parsed.success ? [{ route: parsed.output, index }] : []
  })
}

/** What the checks above don't know, whoever serves the routes would find only then. */
function layRoutes({ routes, paths }: GatewayDocument, issues: FoundIssue[]): void {
  for (const [index, route] of routes.entries()) {
    try {
      new AccountRoutes('', [{ route, value: undefined }], { paths, workersDomain: '' })
      if (route.upstream !== undefined) createUpstream(route.upstream)
    } catch (error) {
      const known = toSkerryError(error)
      if (!known) throw error
      issues.push({ path: ['routes', index], message: known.detail })
    }
  }
}

function checkSigner(
  { identity_headers: signer }: PlacedRoute['route'],
  index: number,
  secretNames: ReadonlySet<string> | undefined,
  issues: FoundIssue[],
): void {
  const secret = signer && secretNameOf(signer.secret)
  if (secret === undefined || !secretNames || secretNames.has(secret)) return
  issues.push({ path: ['routes', index, 'identity_headers', 'secret'], message: missingSecret(secret) })
}

function warnUnused(
  policies: Readonly<Record<string, unknown>>,
  routes: unknown,
  parts: ReadonlySet<string>,
  warnings: FoundIssue[],
): void {
  const lists = Array.isArray(routes) ? routes.map(route => (isTable(route) ? route.use : undefined)) : []
  const used = new Set(lists.flat())
  for (const name of Object.keys(policies)) {
    if (used.has(name) || parts.has(name)) continue
    warnings.push({ path: ['policies', name], message: `No route uses the policy "${name}".`, at: 'key' })
  }
}

/**
 * What JSON and the schemas' library would leave out in silence: keys that are special to JavaScript, and numbers
 * that JSON can't write.
 */
function findOddities(value: unknown, path: Path = []): FoundIssue[] {
  if (typeof value === 'number' && !Number.isFinite(value)) {
    return [{ path, message: `It must be a finite number, not ${value}.` }]
  }
  if (Array.isArray(value)) return value.flatMap((item, i) => findOddities(item, [...path, i]))
  if (!isTable(value)) return []
  return Object.entries(value).flatMap(([key, item]) => [
    ...(SPECIAL.has(key)
      ? [{ path: [...path, key], message: `"${key}" can't be used as a name.`, at: 'key' } as const]
      : []),
    ...findOddities(item, [...path, key]),
  ])
}

const SPECIAL = new Set(['__proto__', 'constructor', 'prototype'])

const isTable = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
