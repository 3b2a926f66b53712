import type { BindingKind } from '../binding.ts'
import { invalidBinding, requireId } from '../fields.ts'
import type { D1Props } from './entrypoint.ts'
import source from './facade.prelude.js'

/** A D1 database of the account. Inside the isolate the runtime's own client class is put over the entrypoint. */
export const d1: BindingKind<'d1'> = {
  type: 'd1',
  parse: (input, name) => {
    // Older clients of Cloudflare's API say `database_id`.
    const id = requireId(input.id ?? input.database_id, 'id', name, 'wrangler d1 list')
    return { type: 'd1', name, id }
  },
  bind: (spec, scope) => {
    const object = scope.resources[`d1/${spec.id}`]
    if (!object) {
      throw invalidBinding(spec.name, `the database "${spec.id}" is not known. Deploy the script again.`)
    }
    const props: D1Props = { accountId: scope.accountId, object }
    return { template: scope.d1, database: scope.exports.D1Entrypoint({ props }) }
  },
  facade: { name: 'd1', source },
}
