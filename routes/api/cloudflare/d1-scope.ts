import type { Context } from 'hono'
import { causeOf } from '../../../bindings/d1/protocol.ts'
import { SkerryError } from '../../../src/core/errors.ts'
import type { ResourceRecord } from '../../../src/registry/resources.ts'
import { isAway, objectsRole } from '../../../src/roles.ts'
import type { Api } from '../context.ts'

/** The database that the path names by its id or its name. @throws ERR_D1_NOT_FOUND */
export async function requireDatabase(c: Context<Api>): Promise<ResourceRecord> {
  const idOrName = c.req.param('database') ?? ''
  const found = await c.var.account.registry.findResource('d1', idOrName)
  if (found) return found
  throw new SkerryError('ERR_D1_NOT_FOUND', `The database '${idOrName}' could not be found.`)
}

/** The name of the object that has a database's content. */
export function objectName(c: Context<Api>, { object }: ResourceRecord): string {
  return `${c.var.account.id}/${object}`
}

/**
 * Asks a database's object; see bindings/d1/object.ts for what it understands.
 *
 * @throws ERR_D1_QUERY with what the database says; ERR_D1_UNAVAILABLE when its process is away
 */
export async function askDatabase(
  c: Context<Api>,
  name: string,
  path: string,
  init: RequestInit = {},
): Promise<Response> {
  const objects = objectsRole(c.env, c.executionCtx.exports as Cloudflare.Exports)
  const response = await objects.database(name, new Request(`http://d1${path}`, init)).catch(error => {
    const cause = causeOf(error)
    if (cause !== (error as Error).message) throw new SkerryError('ERR_D1_QUERY', cause)
    if (!isAway(error)) throw error
    throw new SkerryError(
      'ERR_D1_UNAVAILABLE',
      'The process of databases is not answering; it is being restarted.',
      { cause: error },
    )
  })
  if (response.ok) return response
  const { error } = (await response.json()) as { error: string }
  throw new SkerryError('ERR_D1_QUERY', error)
}
