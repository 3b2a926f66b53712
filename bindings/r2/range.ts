import type { GetOptions, ReadRange } from './types.ts'

/** The bytes that a read is about; `undefined` if there are none such. A header that isn't understood means all. */
export function resolveRange({ range, rangeHeader }: GetOptions, size: number): ReadRange | undefined {
  if (rangeHeader !== undefined) return parseRangeHeader(rangeHeader, size) ?? { offset: 0, length: size }
  if (!range) return { offset: 0, length: size }
  if (range.suffix !== undefined) {
    const length = Math.min(range.suffix, size)
    return length > 0 ? { offset: size - length, length } : undefined
  }
  const { offset = 0, length = size - offset } = range
  if (offset > size || length <= 0) return undefined
  const available = Math.min(length, size - offset)
  return available > 0 ? { offset, length: available } : undefined
}

/** One range of bytes that can be satisfied; anything else is `undefined`, which is what RFC 9110 section 14.2 allows. */
function parseRangeHeader(header: string, size: number): ReadRange | undefined {
  const match = /^ *bytes *= *(\d*) *- *(\d*) *$/i.exec(header)
  if (!match) return undefined
  const [, first = '', last = ''] = match
  if (first === '') {
    const length = Number(last)
    return last !== '' && length > 0 && length < size ? { offset: size - length, length } : undefined
  }
  const offset = Number(first)
  const end = last === '' ? size : Math.min(Number(last) + 1, size)
  return offset < end ? { offset, length: end - offset } : undefined
}
