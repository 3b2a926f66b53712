import { SkerryError } from '../core/errors.ts'
import type { Manifest } from '../core/manifest.ts'
import { currentDeployment } from './deployments.ts'
import { findVersion } from './versions.ts'

/**
 * Checks that each service binding of a new version leads somewhere: to the script itself, or to a deployed
 * script with the named entrypoint.
 *
 * @throws ERR_SERVICE_TARGET, ERR_SERVICE_ENTRYPOINT
 */
export function checkServices(sql: SqlStorage, script: string, manifest: Manifest): void {
  for (const binding of manifest.bindings) {
    if (binding.type !== 'service') continue
    const exports = binding.service === script ? manifest.exports : deployedExports(sql, binding.service)
    if (!exports) {
      throw new SkerryError(
        'ERR_SERVICE_TARGET',
        `Could not resolve service binding '${binding.name}'. Target script '${binding.service}' not found.`,
      )
    }
    const wanted = binding.entrypoint ?? 'default'
    if (wanted !== 'default' && !exports.some(({ name, kind }) => name === wanted && kind !== 'other')) {
      throw new SkerryError(
        'ERR_SERVICE_ENTRYPOINT',
        `Could not resolve service binding '${binding.name}'. Script '${binding.service}' does not export an entrypoint named '${wanted}'.`,
      )
    }
  }
}

function deployedExports(sql: SqlStorage, script: string): Manifest['exports'] | undefined {
  const [share] = currentDeployment(sql, script)?.versions ?? []
  return share && findVersion(sql, script, share.version_id)?.manifest.exports
}
