import { scriptsThatBind } from './namespace-plan.ts'
import { listNamespaces } from './object-namespaces.ts'
import { tailProducersOf } from './tail-consumers.ts'

/** Who uses a script. */
export interface ScriptReferences {
  readonly objects: readonly { readonly service: string; readonly namespaceId: string }[]
  readonly tailProducers: readonly string[]
}

/** Other scripts that use a script: as the home of their objects' class, or as the source of their traces. */
export function listReferences(sql: SqlStorage, script: string): ScriptReferences {
  const namespaces = listNamespaces(sql).filter(record => record.script === script)
  return {
    objects: namespaces.flatMap(({ id }) =>
      scriptsThatBind(sql, id, script).map(service => ({ service, namespaceId: id })),
    ),
    tailProducers: tailProducersOf(sql, script),
  }
}
