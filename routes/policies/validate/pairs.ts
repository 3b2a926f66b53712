/** Names and values of a query or form. Values are as they were sent: what separates lists is told from what they hold. */
export type Pairs = ReadonlyMap<string, readonly string[]>

/** Reads a query without its `?`, or a body of type `application/x-www-form-urlencoded`. */
export function parsePairs(text: string): Pairs {
  const pairs = new Map<string, string[]>()
  if (text === '') return pairs
  for (const pair of text.split('&')) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const name = decodeForm(equals < 0 ? pair : pair.slice(0, equals))
    const value = equals < 0 ? '' : pair.slice(equals + 1)
    const values = pairs.get(name)
    if (values) values.push(value)
    else pairs.set(name, [value])
  }
  return pairs
}

/** A name or value of a query or form, decoded as targets do. */
export function decodeForm(text: string): string {
  return decodePercent(text.includes('+') ? text.replaceAll('+', ' ') : text)
}

/** A text with percent-encoded bytes; bytes that are no UTF-8 become replacement characters. */
export function decodePercent(text: string): string {
  if (!text.includes('%')) return text
  try {
    return decodeURIComponent(text)
  } catch {
    return new URLSearchParams(`a=${text.replaceAll('+', '%2B').replaceAll('&', '%26')}`).get('a') ?? text
  }
}

/** The members of a header that is a list, or of a path's segment. */
export function splitList(text: string): string[] {
  return text === '' ? [] : text.split(',').map(each => each.trim())
}
