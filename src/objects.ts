import { WorkerEntrypoint } from 'cloudflare:workers'
import { callHost, hostOf } from '../bindings/durable-object/call.ts'
import type { IndexedObject } from '../bindings/durable-object/index-object.ts'
import { Line, type Place } from '../bindings/durable-object/line.ts'
import { withPassableServices } from '../bindings/durable-object/services.ts'
import {
  decodeHeader,
  OBJECT_HEADER,
  type ObjectTarget,
  PLACE_HEADER,
  toHostName,
} from '../bindings/durable-object/target.ts'
import type { AccountChanges } from './core/routing.ts'
import { applyChanges } from './edge-table.ts'
import type { ObjectsEnv } from './env.ts'
import { leaveOldCode } from './object-code.ts'

/** What edges and the state role ask of the objects role: calls of users' Durable Objects and D1 databases. */
export class Objects extends WorkerEntrypoint<ObjectsEnv> {
  /** Answers; a process that is gone doesn't. */
  ping(): void {}

  /** Takes a change of the registry in; returns when calls see it. */
  async apply(changes: AccountChanges): Promise<void> {
    await applyChanges(changes, this.env, this.ctx.exports)
    this.ctx.waitUntil(leaveOldCode(changes.accountId, this.env))
  }

  /** Calls a method of a user's Durable Object; reads a property where there are no arguments. */
  async callObject(
    target: ObjectTarget,
    path: readonly string[],
    args?: unknown[],
    place?: Place,
  ): Promise<unknown> {
    const call = () => callHost(this.env, target, path, args)
    return withPassableServices(await line.enter(toHostName(target), place, call))
  }

  /** Sends a request to the user's Durable Object that its header names. */
  override fetch(request: Request): Promise<Response> {
    const { headers } = request
    const target = decodeHeader(headers.get(OBJECT_HEADER)) as ObjectTarget
    const place = decodeHeader(headers.get(PLACE_HEADER)) as Place | undefined
    return line.enter(toHostName(target), place, () => hostOf(this.env, target).fetch(request))
  }

  /** Deletes every object of a namespace, with all it stored. May be repeated until it is done. */
  async deleteNamespace(accountId: string, namespaceId: string): Promise<void> {
    const { OBJECT_INDEX } = this.env
    const index = OBJECT_INDEX.get(OBJECT_INDEX.idFromName(`${accountId}/${namespaceId}`))
    for (;;) {
      const { objects } = await index.list({ limit: DELETED_AT_ONCE })
      if (objects.length === 0) return
      await Promise.all(objects.map(({ id }) => hostOf(this.env, { accountId, namespaceId, id }).destroy()))
      await Promise.all(objects.map(({ id }) => index.remove(id)))
    }
  }

  /** A page of a namespace's objects, in order of their ids. */
  async listObjects(
    accountId: string,
    namespaceId: string,
    page: { readonly cursor?: string; readonly limit: number },
  ): Promise<{ objects: IndexedObject[]; cursor?: string }> {
    const { OBJECT_INDEX } = this.env
    return OBJECT_INDEX.get(OBJECT_INDEX.idFromName(`${accountId}/${namespaceId}`)).list(page)
  }

  /** Asks a D1 database, `<account>/<its object id>`; what it understands is said in bindings/d1/object.ts. */
  database(name: string, request: Request): Promise<Response> {
    const { DATABASE } = this.env
    // By an id that tells no name: in an object with one, wrangler dev makes a table, and users would see it.
    return DATABASE.get(DATABASE.idFromString(String(DATABASE.idFromName(name)))).fetch(request)
  }
}

const line = new Line()
const DELETED_AT_ONCE = 50
