import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { LIMITS } from '../../src/core/limits.ts'

const text = readFileSync(join(import.meta.dirname, '../../docs/limits.md'), 'utf8')
const rows = [...text.matchAll(/^\| `(\w+)` +\| ([\d,]+) +\|/gm)].map(
  ([, key, value]) => [key, value] as const,
)

describe('docs/limits.md', () => {
  test.each(Object.entries(LIMITS))('has %s once, with its default', (key, value) => {
    expect(rows.filter(([name]) => name === key)).toEqual([[key, value.toLocaleString('en-US')]])
  })

  test('has no limit that there is not', () => {
    expect(rows.map(([key]) => key).filter(key => !Object.hasOwn(LIMITS, key ?? ''))).toEqual([])
  })
})
