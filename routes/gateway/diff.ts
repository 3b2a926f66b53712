import type { GatewayDocument } from './document.ts'
import type { Path } from './places.ts'
import { describePath } from './source.ts'

/** What is different in a gateway file: one route, one policy, or its settings. */
export interface Difference {
  readonly what: 'route' | 'policy' | 'settings'
  /** Of the route or policy; empty for settings. */
  readonly name: string
  readonly change: 'added' | 'removed' | 'changed' | 'moved'
  /** Of what was changed, field by field. */
  readonly fields: readonly FieldChange[]
}

/** A field before and after, as JSON text; `null` = it isn't there. */
export interface FieldChange {
  readonly path: string
  readonly before: string | null
  readonly after: string | null
}

/** What an apply would change, in the order of the new document; what it would remove comes last. */
export function diffDocuments(before: GatewayDocument | undefined, after: GatewayDocument): Difference[] {
  const { routes: oldRoutes = [], policies: oldPolicies = {}, ...oldSettings } = before ?? {}
  const { routes, policies, ...settings } = after
  // Without a file there are no settings to change: the first file only adds.
  const changed = before ? diffFields(oldSettings, settings) : []
  return [
    ...(changed.length > 0
      ? [{ what: 'settings', name: '', change: 'changed', fields: changed } as const]
      : []),
    ...diffNamed('route', byName(oldRoutes), byName(routes)),
    ...moved(oldRoutes, routes),
    ...diffNamed('policy', new Map(Object.entries(oldPolicies)), new Map(Object.entries(policies))),
  ]
}

function diffNamed(
  what: 'route' | 'policy',
  before: ReadonlyMap<string, unknown>,
  after: ReadonlyMap<string, unknown>,
): Difference[] {
  const differences: Difference[] = []
  for (const [name, value] of after) {
    if (!before.has(name)) {
      // What is off or empty by default says nothing of something new.
      const fields = diffFields({}, value).filter(({ after }) => !EMPTY.has(after))
      differences.push({ what, name, change: 'added', fields })
    } else {
      const fields = diffFields(before.get(name), value)
      if (fields.length > 0) differences.push({ what, name, change: 'changed', fields })
    }
  }
  for (const name of before.keys()) {
    if (!after.has(name)) differences.push({ what, name, change: 'removed', fields: [] })
  }
  return differences
}

const EMPTY: ReadonlySet<string | null> = new Set(['0', 'false', '[]', '{}', '""'])

/** Among equals the earlier route is asked first, so their order counts. */
function moved(before: GatewayDocument['routes'], after: GatewayDocument['routes']): Difference[] {
  const kept = new Set(after.map(({ name }) => name))
  const old = before.map(({ name }) => name).filter(name => kept.has(name))
  const had = new Set(old)
  const now = after.map(({ name }) => name).filter(name => had.has(name))
  return now
    .filter((name, i) => name !== old[i])
    .map(name => ({ what: 'route', name: name ?? '', change: 'moved', fields: [] }))
}

function byName(routes: GatewayDocument['routes']): Map<string, unknown> {
  return new Map(routes.map(({ name = '', ...rest }) => [name, rest]))
}

/** Tables are compared key by key, everything else as a whole. */
function diffFields(before: unknown, after: unknown, path: Path = []): FieldChange[] {
  if (isTable(before) && isTable(after)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)])
    return [...keys].flatMap(key => diffFields(before[key], after[key], [...path, key]))
  }
  const [old, now] = [textOf(before), textOf(after)]
  return old === now ? [] : [{ path: describePath(path), before: old, after: now }]
}

const isTable = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function textOf(value: unknown): string | null {
  return value === undefined ? null : JSON.stringify(sorted(value))
}

/** The order of a table's keys means nothing. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (!isTable(value)) return value
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map(key => [key, sorted(value[key])]),
  )
}
