/** Bytes of UTF-8 of a key. Source: Cloudflare's documentation, as all of these. */
export const MAX_KEY_BYTES = 1024
/** Bytes of custom metadata, names and values together, where text beyond Latin-1 has two a UTF-16 unit, as in R2. */
const MAX_METADATA_BYTES = 8192
/** Bytes written at once, as an object or as a part of one: 5 GiB less 5 MiB. */
export const MAX_UPLOAD_BYTES = 5 * 1024 ** 3 - 5 * 1024 ** 2
/** Bytes of an object in parts: 5 TiB less 5 GiB. */
export const MAX_OBJECT_BYTES = 5 * 1024 ** 4 - 5 * 1024 ** 3
/** Bytes of a part but the last. */
export const MIN_PART_BYTES = 5 * 1024 ** 2
/** Parts of an object. */
export const MAX_PARTS = 10_000
/** Objects and prefixes of a page of a list. */
export const MAX_LIST_KEYS = 1000
/** The same where metadata was asked for. Source: Miniflare 5.20261117. */
export const MAX_LIST_KEYS_WITH_METADATA = 100
/** Milliseconds that an upload in parts may take, after which it is thrown away: R2's default rule, 7 days. */
export const MAX_UPLOAD_AGE_MS = 7 * 24 * 3600 * 1000

/** Bytes of a blob that are read at once; longer ones are opened several times, so they stay a while when replaced. */
export const LARGE_BYTES = 16 * 1024 ** 2

/** Whether a bucket can have that name. */
export function isValidBucketName(name: string): boolean {
  return /^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/.test(name)
}

/** Whether a key's UTF-8 isn't too long. */
export function isValidKey(key: string): boolean {
  // No character has more than three bytes a UTF-16 unit.
  return key.length * 3 <= MAX_KEY_BYTES || new TextEncoder().encode(key).length <= MAX_KEY_BYTES
}

/** Whether custom metadata isn't too large. */
export function isValidMetadata(metadata: Readonly<Record<string, string>> = {}): boolean {
  const bytes = Object.entries(metadata).reduce((sum, [name, value]) => sum + sizeOf(name) + sizeOf(value), 0)
  return bytes <= MAX_METADATA_BYTES
}

function sizeOf(text: string): number {
  return /^[\0-\xff]*$/.test(text) ? text.length : text.length * 2
}
