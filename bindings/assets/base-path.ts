/** A configured base path as `/` or `/docs/`, or what is wrong with it. */
export function normaliseBasePath(text: string): { readonly path: string } | { readonly problem: string } {
  if (text === '') return { problem: 'it must not be empty' }
  if (text.startsWith('//') || /^[a-z][a-z\d+.-]*:/i.test(text))
    return { problem: 'it must be a path, not a URL' }
  const odd = [...text].find(
    character => '\\?#%'.includes(character) || character <= '\u001f' || character === '\u007f',
  )
  if (odd !== undefined) return { problem: `it must not contain ${JSON.stringify(odd)}` }
  const segments: string[] = []
  for (const segment of text.split('/')) {
    if (segment === '..') segments.pop()
    else if (segment !== '' && segment !== '.') segments.push(segment)
  }
  return { path: segments.length === 0 ? '/' : `/${segments.join('/')}/` }
}

/** A decoded path below a normalised base path; `undefined` = it is not below it. */
export function stripBase(path: string, base: string): string | undefined {
  if (base === '/') return path
  if (path === base.slice(0, -1)) return '/'
  return path.startsWith(base) ? path.slice(base.length - 1) : undefined
}

/** The other way round. */
export function addBase(path: string, base: string): string {
  if (base === '/') return path
  return path === '/' ? base : base.slice(0, -1) + path
}
