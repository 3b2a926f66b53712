import type { BindingKind } from '../binding.ts'
import { describe, invalidBinding } from '../fields.ts'
import type { KvProps } from './entrypoint.ts'

/** A KV namespace of the account. */
export const kv: BindingKind<'kv_namespace'> = {
  type: 'kv_namespace',
  parse: (input, name) => {
    const { namespace_id: id } = input
    if (typeof id !== 'string' || !/^[A-Za-z0-9_-]{1,64}$/.test(id)) {
      throw invalidBinding(
        name,
        `\`namespace_id\` is ${describe(id)}. It must be 1 to 64 letters, digits, dashes or underscores; \`wrangler kv namespace list\` shows the account's ids.`,
      )
    }
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
