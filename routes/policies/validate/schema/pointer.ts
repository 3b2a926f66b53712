/** A member's or entry's place in a JSON pointer (RFC 6901). */
export function pointerTo(...keys: readonly (string | number)[]): string {
  let pointer = ''
  for (const key of keys) {
    pointer += `/${typeof key === 'number' ? key : key.replaceAll('~', '~0').replaceAll('/', '~1')}`
  }
  return pointer
}

/** The keys of a pointer; `undefined` if it is none. */
export function keysOf(pointer: string): string[] | undefined {
  if (pointer === '') return []
  if (!pointer.startsWith('/')) return undefined
  return pointer
    .slice(1)
    .split('/')
    .map(key => key.replaceAll('~1', '/').replaceAll('~0', '~'))
}

/** The same of a pointer as it stands in a URL's fragment. */
export function keysOfFragment(fragment: string): string[] | undefined {
  try {
    return keysOf(decodeURIComponent(fragment))
  } catch {
    return undefined
  }
}
