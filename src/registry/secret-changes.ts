import { SkerryError } from '../core/errors.ts'
import type { SecretBinding, StoredBinding } from '../core/manifest.ts'

/** Secrets by name: to set, or to delete where `null`. */
export type SecretEdits = Readonly<Record<string, SecretBinding | null>>

/**
 * A version's bindings after secrets were set and deleted.
 *
 * @throws ERR_SECRET_NOT_FOUND, ERR_BINDING_TAKEN
 */
export function applySecrets(bindings: readonly StoredBinding[], edits: SecretEdits): StoredBinding[] {
  for (const [name, secret] of Object.entries(edits)) {
    const present = bindings.find(binding => binding.name === name)
    if (secret === null && present?.type !== 'secret_text') {
      throw new SkerryError('ERR_SECRET_NOT_FOUND', `Secret not found: the script has no secret "${name}".`)
    }
    if (secret && present && present.type !== 'secret_text') {
      throw new SkerryError(
        'ERR_BINDING_TAKEN',
        `Binding name '${name}' already in use. Please use a different name and try again.`,
      )
    }
  }
  const set = Object.values(edits).filter(secret => secret !== null)
  return [...bindings.filter(({ name }) => !Object.hasOwn(edits, name)), ...set]
}
