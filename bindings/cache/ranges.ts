/** Bytes of a body, both ends included. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/**
 * The parts of a body that a `Range` field asks for: none = the whole body; `undefined` = it can't be had (416).
 *
 * As workerd and Miniflare read it: several ranges are several parts, and what is no range at all is refused.
 */
export function parseRanges(text: string, size: number): readonly ByteRange[] | undefined {
  const [, list] = /^\s*bytes\s*=(.*)$/i.exec(text) ?? []
  if (list === undefined) return undefined
  if (list.trim() === '') return []
  const ranges: ByteRange[] = []
  const items = list.split(',')
  if (items.length > MAX_RANGES) return []
  for (const item of items) {
    const range = parseRange(item, size)
    if (range === undefined) return undefined
    if (range === 'whole') return []
    if (range !== 'empty') ranges.push(range)
  }
  // Parts that overlap would be more than what they are parts of.
  const bytes = ranges.reduce((total, { start, end }) => total + end - start + 1, 0)
  return bytes > size ? [] : ranges
}

function parseRange(text: string, size: number): ByteRange | 'whole' | 'empty' | undefined {
  const [, first = '', last = ''] = /^\s*(\d{0,15})\s*-\s*(\d{0,15})\s*$/.exec(text) ?? []
  if (first === '' && last === '') return undefined
  if (first === '') {
    const length = Number(last)
    if (length >= size) return 'whole'
    return length === 0 ? 'empty' : { start: size - length, end: size - 1 }
  }
  const start = Number(first)
  const end = last === '' ? size - 1 : Math.min(Number(last), size - 1)
  if (start >= size || end < start) return undefined
  return { start, end }
}

/** Several parts of a body as one, of the type `multipart/byteranges` (RFC 9110 §14.6). */
export function joinParts(
  body: Uint8Array,
  ranges: readonly ByteRange[],
  contentType: string | null,
): { readonly type: string; readonly bytes: Uint8Array<ArrayBuffer> } {
  const boundary = crypto.randomUUID()
  const encode = (text: string) => new TextEncoder().encode(text)
  const pieces = ranges.flatMap(({ start, end }) => [
    encode(
      `--${boundary}\r\n${contentType ? `Content-Type: ${contentType}\r\n` : ''}Content-Range: bytes ${start}-${end}/${body.byteLength}\r\n\r\n`,
    ),
    body.subarray(start, end + 1),
    encode('\r\n'),
  ])
  pieces.push(encode(`--${boundary}--`))
  return { type: `multipart/byteranges; boundary=${boundary}`, bytes: concat(pieces) }
}

/** Chunks as one. */
export function concat(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(chunks.reduce((total, { byteLength }) => total + byteLength, 0))
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.byteLength
  }
  return whole
}

/** Of more, the whole body is the cheaper answer. */
const MAX_RANGES = 16
