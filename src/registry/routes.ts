import { SkerryError } from '../core/errors.ts'
import { createHexId } from '../core/ids.ts'

/** A route or custom domain of an account. */
export interface RouteRecord {
  readonly id: string
  /** `host/path*`; a custom domain's is `host/*`. */
  readonly pattern: string
  /** The host part: exact, or `*.example.com`. */
  readonly host: string
  /** `null`: requests that match go to no script. */
  readonly script: string | null
  readonly custom_domain: number
}

export const ROUTES_SCHEMA = `
  CREATE TABLE routes (
    id TEXT PRIMARY KEY, pattern TEXT NOT NULL, host TEXT NOT NULL, script TEXT, custom_domain INTEGER NOT NULL,
    UNIQUE (pattern, custom_domain)
  );
  CREATE INDEX routes_script ON routes (script)`

export function listRoutes(sql: SqlStorage): RouteRecord[] {
  return sql.exec('SELECT * FROM routes ORDER BY pattern').toArray() as unknown as RouteRecord[]
}

export function findRoute(sql: SqlStorage, pattern: string, customDomain: boolean): RouteRecord | undefined {
  const rows = sql.exec(
    'SELECT * FROM routes WHERE pattern = ? AND custom_domain = ?',
    pattern,
    Number(customDomain),
  )
  return rows.toArray()[0] as unknown as RouteRecord | undefined
}

/** A route to be written: pattern and host checked by `routes/pattern.ts`. */
export interface NewRoute {
  readonly pattern: string
  readonly host: string
  readonly script: string | null
  readonly customDomain: boolean
}

/** @throws ERR_ROUTE_TAKEN if the pattern leads to another script already */
export function insertRoute(sql: SqlStorage, route: NewRoute): RouteRecord {
  const present = findRoute(sql, route.pattern, route.customDomain)
  if (present && present.script === route.script) return present
  if (present) {
    throw new SkerryError(
      'ERR_ROUTE_TAKEN',
      `The pattern "${route.pattern}" is already used by the script "${present.script}".`,
    )
  }
  const record = { id: createHexId(), ...route, custom_domain: Number(route.customDomain) }
  sql.exec(
    'INSERT INTO routes (id, pattern, host, script, custom_domain) VALUES (?, ?, ?, ?, ?)',
    record.id,
    record.pattern,
    record.host,
    record.script,
    record.custom_domain,
  )
  return record
}

/** Puts routes, or custom domains, in the place of those a script has. @throws ERR_ROUTE_TAKEN */
export function replaceRoutes(
  sql: SqlStorage,
  script: string,
  routes: readonly NewRoute[],
  customDomain: boolean,
): RouteRecord[] {
  deleteRoutesOf(sql, script, customDomain)
  return routes.map(route => insertRoute(sql, route))
}

export function deleteRoute(sql: SqlStorage, id: string): RouteRecord | undefined {
  const rows = sql.exec('DELETE FROM routes WHERE id = ? RETURNING *', id).toArray()
  return rows[0] as unknown as RouteRecord | undefined
}

/** Removes the custom domain of this pattern, whichever script's it is. */
export function deleteDomain(sql: SqlStorage, pattern: string): void {
  sql.exec('DELETE FROM routes WHERE pattern = ? AND custom_domain = 1', pattern)
}

export function deleteRoutesOf(sql: SqlStorage, script: string, customDomain?: boolean): void {
  if (customDomain === undefined) sql.exec('DELETE FROM routes WHERE script = ?', script)
  else sql.exec('DELETE FROM routes WHERE script = ? AND custom_domain = ?', script, Number(customDomain))
}

/** Whether any route is on this host; then its claim is in use. */
export function usesHost(sql: SqlStorage, host: string): boolean {
  return sql.exec('SELECT 1 FROM routes WHERE host = ?', host).toArray().length > 0
}
