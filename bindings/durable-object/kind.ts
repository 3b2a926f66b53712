import type { DurableObjectBinding, ExportRef } from '../../src/core/manifest.ts'
import { exportKey } from '../../src/core/resources.ts'
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
    return toNamespace(id, script, spec.class_name, scope)
  },
  facade: { name: 'durable-object', source },
} as const satisfies BindingKind<'durable_object_namespace'>

/** What a namespace's facade is made of. */
interface BoundNamespace {
  readonly objects: Fetcher
  readonly id: string
}

/** What makes classes in `ctx.exports` namespaces; class.prelude.js uses it up before the user's code runs. */
export interface ExportedObjects {
  /** A class of objects, for its type only. */
  readonly anyClass: unknown
  /** By the classes' names. */
  readonly namespaces: Readonly<Record<string, BoundNamespace>>
}

/** The namespaces of a script's own classes, whether they are bound or not; `undefined` = it has none. */
export function exportedObjects(
  exports: readonly ExportRef[],
  scope: Pick<BindScope, 'accountId' | 'script' | 'exports' | 'resources'>,
): ExportedObjects | undefined {
  const namespaces = exports.flatMap(({ name }) => {
    const id = scope.resources[exportKey(name)]
    return id ? [[name, toNamespace(id, scope.script, name, scope)] as const] : []
  })
  if (namespaces.length === 0) return undefined
  return { anyClass: scope.exports.NoObject({ props: {} }), namespaces: Object.fromEntries(namespaces) }
}

function toNamespace(
  namespaceId: string,
  script: string,
  className: string,
  { accountId, exports }: Pick<BindScope, 'accountId' | 'exports'>,
): BoundNamespace {
  const props: NamespaceProps = { accountId, namespaceId, script, className }
  return { objects: exports.DurableObjectEntrypoint({ props }), id: namespaceId }
}
