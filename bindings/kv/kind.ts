import type { BindingKind } from '../binding.ts'
import { invalidBinding, requireId } from '../fields.ts'
import type { KvProps } from './entrypoint.ts'

/** A KV namespace of the account. */
export const kv: BindingKind<'kv_namespace'> = {
  type: 'kv_namespace',
  parse: (input, name) => {
    const id = requireId(input.namespace_id, 'namespace_id', name, 'wrangler kv namespace list')
    return { type: 'kv_namespace', name, namespace_id: id }
  },
  bind: (spec, scope) => {
    const prefix = scope.kvPrefixes[spec.namespace_id]
    // Without a prefix the binding would reach every namespace.
    if (!prefix) {
      throw invalidBinding(
        spec.name,
        `the namespace "${spec.namespace_id}" has no key prefix. Deploy the script again.`,
      )
    }
    const props: KvProps = { prefix }
    return scope.exports.KvEntrypoint({ props })
  },
}
