import type { StoredBinding } from '../../../src/core/manifest.ts'
import { resourceKey } from '../../../src/core/resources.ts'
import type { VersionRecord } from '../../../src/registry/versions.ts'

/** A binding as the API shows it: in the form it was uploaded in, a secret by its name alone. */
export function showBinding(
  binding: StoredBinding,
  { script, resources }: Pick<VersionRecord, 'script' | 'resources'>,
): Record<string, unknown> {
  if (binding.type === 'secret_text') return { type: binding.type, name: binding.name }
  if (binding.type !== 'durable_object_namespace') return { ...binding }
  return { ...binding, namespace_id: resources[resourceKey(binding, script) ?? ''] }
}
