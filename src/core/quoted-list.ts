/**
 * Where the last element of a header's list begins whose end is given, commas in quoted strings left alone.
 *
 * Lists to which proxies append are read from their end: what a client sends stands at the beginning, and a quote
 * that it opens and never closes must not swallow what proxies added.
 *
 * @param end behind the element's last character
 * @returns `undefined` if the element's quotes don't match
 */
export function lastElementStart(list: string, end = list.length): number | undefined {
  let isQuoted = false
  for (let i = end - 1; i >= 0; i--) {
    const character = list.charAt(i)
    if (character === '"') {
      // Within a quoted string, an odd number of backslashes before a quote makes it part of the text.
      if (!isQuoted || backslashesBefore(list, i) % 2 === 0) isQuoted = !isQuoted
    } else if (character === ',' && !isQuoted) return i + 1
  }
  return isQuoted ? undefined : 0
}

function backslashesBefore(list: string, at: number): number {
  let count = 0
  while (list.charAt(at - 1 - count) === '\\') count++
  return count
}
