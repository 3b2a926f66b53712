import type { Context } from 'hono'
import { SkerryError } from '../../../src/core/errors.ts'
import type { Author } from '../../../src/registry/versions.ts'
import type { Api } from '../context.ts'
import { authorEmail } from './identity.ts'

/** The calling token, as the author of a change. */
export function toAuthor(c: Context<Api>): Author {
  const { tokenId, tokenName } = c.var.principal
  return { id: tokenId, email: authorEmail(tokenName) }
}

/** Annotations of a version or deployment: short texts under `workers/…`. @throws ERR_UPLOAD_METADATA */
export function toAnnotations(input: unknown): Record<string, string> {
  if (input === undefined || input === null) return {}
  if (typeof input !== 'object' || Array.isArray(input)) {
    throw new SkerryError('ERR_UPLOAD_METADATA', 'The field "annotations" must be an object of strings.')
  }
  const annotations: Record<string, string> = {}
  for (const [key, value] of Object.entries(input)) {
    if (value === undefined || value === null || value === '') continue
    const maxChars = MAX_CHARS[key as keyof typeof MAX_CHARS] ?? 100
    if (typeof value !== 'string' || value.length > maxChars) {
      throw new SkerryError(
        'ERR_UPLOAD_METADATA',
        `The annotation "${key}" must be a string of at most ${maxChars} characters.`,
      )
    }
    annotations[key] = value
  }
  return annotations
}

/** Cloudflare's bounds. */
const MAX_CHARS = { 'workers/message': 1000, 'workers/tag': 100, 'workers/alias': 63 }
