import type { Binding, StoredBinding } from './manifest.ts'

/** What an account has by id or name beside its scripts and KV namespaces; spelt as the bindings' types. */
export type ResourceKind = 'd1' | 'r2_bucket' | 'queue' | 'workflow'

/**
 * What a binding names, as a version's `resources` has it: `<type>/<name>`; `undefined` for bindings that name
 * nothing of the account's.
 *
 * @param script whose binding it is: a Durable Object class without script is its own
 */
export function resourceKey(binding: Binding | StoredBinding, script: string): string | undefined {
  switch (binding.type) {
    case 'd1':
      return `d1/${binding.id}`
    case 'r2_bucket':
      return `r2_bucket/${binding.bucket_name}`
    case 'queue':
      return `queue/${binding.queue_name}`
    case 'workflow':
      return `workflow/${binding.workflow_name}`
    case 'durable_object_namespace':
      return `durable_object_namespace/${binding.script_name ?? script}/${binding.class_name}`
    default:
      return undefined
  }
}

/** What a version's `resources` has of a class of its own: where it is a namespace without a binding. */
export function exportKey(className: string): string {
  return `${EXPORT}${className}`
}

/** Whether a resource of a version is one that a binding names. */
export function isBound(key: string): boolean {
  return !key.startsWith(EXPORT)
}

const EXPORT = 'export/'

/** A resource by what bindings name. */
export interface ResourceRef {
  readonly kind: ResourceKind
  readonly ref: string
}

/** The resource of the account that a binding names, by its id (databases) or its name. */
export function resourceOf(binding: Binding | StoredBinding): ResourceRef | undefined {
  switch (binding.type) {
    case 'd1':
      return { kind: 'd1', ref: binding.id }
    case 'r2_bucket':
      return { kind: 'r2_bucket', ref: binding.bucket_name }
    case 'queue':
      return { kind: 'queue', ref: binding.queue_name }
    case 'workflow':
      return { kind: 'workflow', ref: binding.workflow_name }
    default:
      return undefined
  }
}
