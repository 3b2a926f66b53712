import type { DurableObjectBinding } from '../../src/core/manifest.ts'
import type { BindingKind, BindScope } from '../binding.ts'
import { describe, invalidBinding, requireText } from '../fields.ts'
import { HARNESS_ENTRYPOINT } from '../service/kind.ts'
import source from './facade.prelude.js'
import type { NamespaceProps } from './target.ts'

/** A namespace of Durable Objects: those of a class of this script, or of another one of the account. */
export const durableObject = {
  type: 'durable_object_namespace',
  parse: (input: Readonly<Record<string, unknown>>, name: string) => {
    const className = requireText(input, 'class_name', name)
    const { script_name: script } = input
    if (className === HARNESS_ENTRYPOINT) {
      throw invalidBinding(name, `\`class_name\` is "${className}", which is reserved. Name another class.`)
    }
    if (script !== undefined && (typeof script !== 'string' || script === '')) {
      throw invalidBinding(name, `\`script_name\` is ${describe(script)}. Name a script, or omit it.`)
    }
    return {
      type: 'durable_object_namespace',
      name,
      class_name: className,
      ...(script !== undefined && { script_name: script }),
    }
  },
  bind: (spec: DurableObjectBinding, scope: BindScope) => {
    const script = spec.script_name ?? scope.script
    const id = scope.resources[`durable_object_namespace/${script}/${spec.class_name}`]
    if (!id) {
      throw invalidBinding(
        spec.name,
        `the class "${spec.class_name}" of "${script}" has no namespace. Deploy the script again.`,
      )
    }
    const props: NamespaceProps = {
      accountId: scope.accountId,
      namespaceId: id,
      script,
      className: spec.class_name,
    }
    return { objects: scope.exports.DurableObjectEntrypoint({ props }), id }
  },
  facade: { name: 'durable-object', source },
} as const satisfies BindingKind<'durable_object_namespace'>
