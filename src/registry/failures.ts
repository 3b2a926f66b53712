import { SkerryError } from '../core/errors.ts'

/** Cloudflare's words and code; wrangler acts on them. */
export function scriptNotFound(): SkerryError {
  return new SkerryError('ERR_SCRIPT_NOT_FOUND', 'This Worker does not exist on your account.')
}

/** @see scriptNotFound */
export function versionNotFound(id: string): SkerryError {
  return new SkerryError('ERR_VERSION_NOT_FOUND', `The script has no version "${id}".`)
}
