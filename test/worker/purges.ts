import { DurableObject } from 'cloudflare:workers'
import { insertPurges, listPurgesSince, PURGES_SCHEMA } from '../../src/registry/purges.ts'

/** The table of purges in a real object's database: each line of the request's JSON is one call. */
export class Table extends DurableObject {
  run(calls: readonly Call[]): unknown[] {
    const { sql } = this.ctx.storage
    for (const statement of PURGES_SCHEMA.split(';')) sql.exec(statement)
    return calls.map(call => {
      if ('since' in call) return listPurgesSince(sql, call.since)
      for (let i = 0; i < (call.times ?? 1); i++) insertPurges(sql, call.targets, call.revision, call.nowMs)
      return null
    })
  }
}

type Call =
  | { readonly since: number }
  | {
      readonly targets: Parameters<typeof insertPurges>[1]
      readonly revision: number
      readonly nowMs: number
      readonly times?: number
    }

interface Env {
  readonly Table: DurableObjectNamespace<Table>
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const table = env.Table.get(env.Table.newUniqueId())
    return Response.json(await table.run((await request.json()) as Call[]))
  },
}
