const many = (count: number, value: unknown) => Array.from({ length: count }, () => value)

/** Arguments of `writeDataPoint()`, by name. The name is the point's first blob where there is room for one. */
export const CASES: Readonly<Record<string, readonly unknown[]>> = {
  'no argument': [],
  undefined: [undefined],
  null: [null],
  'an empty object': [{}],
  'an array': [[]],
  'a function': [() => {}],
  'a number': [1],
  'a text': ['x'],
  'unknown fields': [{ other: 1 }],
  '20 doubles': [{ doubles: many(20, 1) }],
  '21 doubles': [{ doubles: many(21, 1) }],
  'doubles of other types': [
    { doubles: ['5', 'x', null, undefined, true, Number.NaN, Number.POSITIVE_INFINITY] },
  ],
  'doubles with a hole': [{ doubles: Array(2) }],
  'a double that is a bigint': [{ doubles: [1n] }],
  'a double that is a symbol': [{ doubles: [Symbol('x')] }],
  'doubles: an object': [{ doubles: {} }],
  'doubles: a set': [{ doubles: new Set([1]) }],
  'doubles: null': [{ doubles: null }],
  '20 blobs': [{ blobs: many(20, 'a') }],
  '21 blobs': [{ blobs: many(21, 'a') }],
  'blobs of other types': [{ blobs: [5, true, {}, 'text'] }],
  'blobs of bytes': [{ blobs: [new Uint8Array([97, 98]).buffer, new Uint8Array([97, 98, 99]).subarray(1)] }],
  'blobs that are absent': [{ blobs: [null, undefined, 'third'] }],
  'a blob that is a symbol': [{ blobs: [Symbol('x')] }],
  'blobs: a text': [{ blobs: 'ab' }],
  'blobs: null': [{ blobs: null }],
  'blobs of 16,000 bytes': [{ blobs: ['a'.repeat(8000), 'é'.repeat(4000)] }],
  'blobs of 16,001 bytes': [{ blobs: ['a'.repeat(8001), 'é'.repeat(4000)] }],
  'no index': [{ indexes: [] }],
  'an index': [{ indexes: ['x'] }],
  'two indexes': [{ indexes: ['x', 'y'] }],
  'an index of 96 bytes': [{ indexes: ['é'.repeat(48)] }],
  'an index of 97 bytes': [{ indexes: [`é${'é'.repeat(47)}a`] }],
  'an index that is a number': [{ indexes: [5] }],
  'an index that is null': [{ indexes: [null] }],
  'an index of bytes': [{ indexes: [new Uint8Array([97])] }],
  'indexes: a text': [{ indexes: 'x' }],
}

/** What each case returned or threw at once; between two cases a point that says which came before. */
export function runCases(engine: {
  writeDataPoint(...args: readonly unknown[]): unknown
}): Record<string, unknown> {
  const results: Record<string, unknown> = { class: [String(engine), engine.constructor.name] }
  for (const [name, args] of Object.entries(CASES)) {
    engine.writeDataPoint({ indexes: ['case'], blobs: [name] })
    try {
      results[name] = String(engine.writeDataPoint(...args))
    } catch (error) {
      results[name] = String(error)
    }
  }
  engine.writeDataPoint({ indexes: ['end'] })
  return results
}
