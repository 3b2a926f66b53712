import type { Conditional, EtagCondition, ObjectInfo } from './types.ts'

/**
 * Whether an operation is to happen, given the object that is there, if one is.
 *
 * As RFC 9110 section 13.2.2: an etag that matches makes up for an upload's time, in either direction. Without an
 * object, only "matches" and "uploaded after" can't hold.
 */
export function holds(
  { etagMatches, etagDoesNotMatch, uploadedAfter, uploadedBefore, secondsGranularity }: Conditional,
  object: Pick<ObjectInfo, 'etag' | 'uploaded'> | undefined,
): boolean {
  if (!object) return etagMatches === undefined && uploadedAfter === undefined
  const uploaded = secondsGranularity ? Math.floor(object.uploaded / 1000) * 1000 : object.uploaded
  const isSame = etagMatches?.some(tag => matches(tag, object.etag, false))
  const isOther = etagDoesNotMatch && !etagDoesNotMatch.some(tag => matches(tag, object.etag, true))
  if (isSame === false || isOther === false) return false
  const isLater = uploadedAfter === undefined || uploadedAfter < uploaded || isOther === true
  const isEarlier = uploadedBefore === undefined || uploaded < uploadedBefore || isSame === true
  return isLater && isEarlier
}

function matches(tag: EtagCondition, etag: string, isWeak: boolean): boolean {
  if (tag.type === 'wildcard') return true
  return tag.value === etag && (isWeak || tag.type === 'strong')
}

/**
 * The tags of If-Match or If-None-Match.
 *
 * Ends at what can't begin a tag; a wildcard is all there is. @throws Error in the words of R2's client
 */
export function parseEtags(header: string): EtagCondition[] {
  const tags: EtagCondition[] = []
  let rest = header
  let needsComma = false
  for (;;) {
    rest = rest.replace(/^[ \t]+/, '')
    const first = rest[0]
    if (first === ',') {
      needsComma = false
      rest = rest.slice(1)
      continue
    }
    const kind = first === undefined ? undefined : KINDS[first]
    if (!kind) return tags
    if (needsComma)
      throw new Error(
        `Comma was expected to separate etags. Encountered a ${kind} instead.${HINTS[first as string]}`,
      )
    if (first === '*') return [{ type: 'wildcard' }]
    if (first === 'W' && !rest.startsWith('W/"')) {
      throw new Error('Weak etags must start with W/ and their value must be quoted')
    }
    const start = first === 'W' ? 3 : 1
    const end = rest.indexOf('"', start)
    if (end < 0) throw new Error('Unclosed double quote for Etag')
    tags.push({ type: first === 'W' ? 'weak' : 'strong', value: rest.slice(start, end) })
    rest = rest.slice(end + 1)
    needsComma = true
  }
}

const KINDS: Readonly<Record<string, string>> = {
  '*': "wildcard character '*'",
  W: "weak quotation character 'W'",
  '"': "double quote character '\"'",
}
const HINTS: Readonly<Record<string, string>> = {
  '*': '',
  W: ' This would otherwise indicate the start of a new weak etag.',
  '"': ' This would otherwise indicate the start of a new strong etag.',
}
