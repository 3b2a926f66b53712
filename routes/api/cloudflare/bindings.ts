import type { StoredBinding } from '../../../src/core/manifest.ts'

/** A binding as the API shows it: in the form it was uploaded in, a secret by its name alone. */
export function showBinding(binding: StoredBinding): Record<string, unknown> {
  return binding.type === 'secret_text' ? { type: binding.type, name: binding.name } : { ...binding }
}
