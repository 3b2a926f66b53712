import { DurableObject } from 'cloudflare:workers'
import type { ObjectsEnv } from '../../src/env.ts'

/** An object of a namespace. */
export interface IndexedObject {
  /** 64 hex digits. */
  readonly id: string
  /** What `idFromName` was given; absent for ids that were made otherwise. */
  readonly name?: string
  /** When it was first called: milliseconds since the epoch. */
  readonly createdMs: number
}

/**
 * Which objects a namespace of users' Durable Objects has, named `<account>/<namespace id>`.
 *
 * An object is here before it can have stored anything, and is taken out after its storage is gone: whoever walks
 * the index finds everything.
 */
export class ObjectIndex extends DurableObject<ObjectsEnv> {
  readonly #sql: SqlStorage

  constructor(ctx: DurableObjectState, env: ObjectsEnv) {
    super(ctx, env)
    this.#sql = ctx.storage.sql
    this.#sql.exec(
      'CREATE TABLE IF NOT EXISTS objects (id TEXT PRIMARY KEY, name TEXT, created_ms INTEGER NOT NULL) WITHOUT ROWID',
    )
  }

  /** Adds an object; a name once known stays. On disk when it returns. */
  add(id: string, { name }: { readonly name?: string } = {}): void {
    this.#sql.exec(
      `INSERT INTO objects VALUES (?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET name = excluded.name WHERE name IS NULL AND excluded.name IS NOT NULL`,
      id,
      name ?? null,
      Date.now(),
    )
  }

  remove(id: string): void {
    this.#sql.exec('DELETE FROM objects WHERE id = ?', id)
  }

  /**
   * Objects in order of their ids, at most `limit`.
   *
   * @param options.cursor of the page before; the answer has one if there is more
   */
  list({ cursor = '', limit }: { readonly cursor?: string; readonly limit: number }): {
    objects: IndexedObject[]
    cursor?: string
  } {
    const rows = this.#sql
      .exec<Row>('SELECT * FROM objects WHERE id > ? ORDER BY id LIMIT ?', cursor, limit + 1)
      .toArray()
    const objects = rows.slice(0, limit).map(toObject)
    const last = objects.at(-1)
    return { objects, ...(rows.length > limit && last && { cursor: last.id }) }
  }

  /** How many objects there are. */
  count(): number {
    return this.#sql.exec<{ n: number }>('SELECT count(*) AS n FROM objects').one().n
  }
}

type Row = { id: string; name: string | null; created_ms: number }

function toObject({ id, name, created_ms: createdMs }: Row): IndexedObject {
  return { id, ...(name !== null && { name }), createdMs }
}
