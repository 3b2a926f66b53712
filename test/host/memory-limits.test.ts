import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  readTotalMemory,
  resolveMemoryLimits,
  resolveObjectsMemory,
  UNTOUCHED_BYTES,
  usedMemory,
} from '../../host/memory-limits.ts'

const MIB = 1024 * 1024
const GIB = 1024 * MIB

test.each([
  { totalGib: 1, edges: 1, soft: 256, hard: 512, heap: 448, data: 1024, isolates: 73 },
  { totalGib: 1, edges: 2, soft: 170, hard: 341, heap: 298, data: 853, isolates: 38 },
  { totalGib: 4, edges: 2, soft: 576, hard: 1600, heap: 1344, data: 2112, isolates: 202 },
  { totalGib: 4, edges: 4, soft: 563, hard: 1126, heap: 985, data: 1638, isolates: 197 },
  { totalGib: 24, edges: 2, soft: 576, hard: 1600, heap: 1344, data: 2112, isolates: 202 },
  { totalGib: 24, edges: 16, soft: 576, hard: 1600, heap: 1344, data: 2112, isolates: 202 },
  { totalGib: 0.5, edges: 1, soft: 128, hard: 256, heap: 224, data: 768, isolates: 21 },
])('resolveMemoryLimits() of $totalGib GB and $edges edges', expected => {
  const limits = resolveMemoryLimits(expected.totalGib * GIB, expected.edges)
  expect({
    soft: Math.floor(limits.softBytes / MIB),
    hard: Math.floor(limits.hardBytes / MIB),
    heap: limits.heapMib,
    data: Math.floor(limits.dataLimitKib / 1024),
    isolates: limits.isolates,
  }).toEqual({
    soft: expected.soft,
    hard: expected.hard,
    heap: expected.heap,
    data: expected.data,
    isolates: expected.isolates,
  })
})

test('resolveMemoryLimits() keeps all edges at the soft and one at the hard limit within the memory, from 2 GB', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2 * 1024, max: 512 * 1024 }),
      fc.integer({ min: 1, max: 4 }),
      (mib, edges) => {
        const { softBytes, hardBytes, heapMib } = resolveMemoryLimits(mib * MIB, edges)
        expect(softBytes * (edges - 1) + hardBytes).toBeLessThan(mib * MIB * 0.75)
        expect(heapMib * MIB).toBeGreaterThan(softBytes)
        expect(heapMib * MIB).toBeLessThan(hardBytes)
      },
    ),
  )
})

test.each([
  { totalGib: 1, edges: 1, soft: 170, hard: 341 },
  { totalGib: 4, edges: 2, soft: 640, hard: 1664 },
  { totalGib: 8, edges: 2, soft: 2048, hard: 3072 },
  { totalGib: 24, edges: 16, soft: 2048, hard: 3072 },
])('resolveObjectsMemory() beside $edges edges of $totalGib GB', ({ totalGib, edges, soft, hard }) => {
  const { softBytes, hardBytes } = resolveObjectsMemory(totalGib * GIB, edges + 1)
  expect([softBytes / MIB, hardBytes / MIB].map(Math.floor)).toEqual([soft, hard])
})

test('resolveObjectsMemory() leaves room for edges at the soft and one at the hard limit, and gives no less than an edge has', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2 * 1024, max: 512 * 1024 }),
      fc.integer({ min: 1, max: 4 }),
      (mib, edges) => {
        const edge = resolveMemoryLimits(mib * MIB, edges + 1)
        const objects = resolveObjectsMemory(mib * MIB, edges + 1)
        expect(objects.softBytes).toBeGreaterThanOrEqual(edge.softBytes)
        const allBytes = objects.softBytes + edge.softBytes * (edges - 1) + edge.hardBytes
        expect(allBytes).toBeLessThan(mib * MIB * 0.75)
      },
    ),
  )
})

test.each([
  { title: 'RSS, where it is more', rss: 300 * MIB, data: UNTOUCHED_BYTES + 200 * MIB, used: 300 * MIB },
  { title: 'what is mapped but not touched', rss: 60 * MIB, data: UNTOUCHED_BYTES + 2 * GIB, used: 2 * GIB },
  { title: 'RSS, where data is unknown', rss: 60 * MIB, data: undefined, used: 60 * MIB },
])('usedMemory() counts $title', ({ rss, data, used }) => {
  expect(usedMemory(rss, data)).toBe(used)
})

test('readTotalMemory() is at least what this process uses', () => {
  expect(readTotalMemory()).toBeGreaterThan(process.memoryUsage.rss())
  expect(readTotalMemory()).toBeLessThan(2 ** 50)
})
