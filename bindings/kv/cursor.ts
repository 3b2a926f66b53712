/** Marks a cursor in the store's own form; not a base64 character, so the two forms can't be mixed up. */
const OPAQUE_MARK = '~'
/** Longer than any cursor of a 512-byte key; keeps hostile ones cheap. */
const MAX_CURSOR_CHARS = 4096

/**
 * The cursor a function sees for a cursor of the store.
 *
 * The stores of workerd and Miniflare use the base64 of the last key: ours is then that of the key without its
 * prefix, which is what the function would get from a namespace of its own. Any other form is passed on, marked.
 */
export function toOwnCursor(native: string, prefix: string): string {
  const key = decodeKey(native)
  return key?.startsWith(prefix) ? encodeKey(key.slice(prefix.length)) : OPAQUE_MARK + native
}

/**
 * The store's cursor for one that a function sent; `undefined` if it is malformed.
 *
 * A forged cursor names at worst another place of the same namespace: the prefix is put in here, and the list
 * itself is limited to the prefix.
 */
export function toNativeCursor(own: string, prefix: string): string | undefined {
  if (own.length > MAX_CURSOR_CHARS) return undefined
  if (own.startsWith(OPAQUE_MARK)) return own.slice(OPAQUE_MARK.length)
  const key = decodeKey(own)
  return key === undefined ? undefined : encodeKey(prefix + key)
}

function decodeKey(cursor: string): string | undefined {
  try {
    const bytes = Uint8Array.from(atob(cursor), char => char.charCodeAt(0))
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

function encodeKey(key: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(key)))
}
