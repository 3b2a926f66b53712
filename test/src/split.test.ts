import { describe, expect, it } from 'vitest'
import type { EdgeVersion } from '../../src/core/routing.ts'
import { pickByShare, pickVersion } from '../../src/split.ts'

const version = (id: string, percentage: number): EdgeVersion => ({
  id,
  isolate: id,
  percentage,
  reads: { cf: false, clientHeaders: false },
  hasFetch: true,
  turnMs: 500,
})

const VERSIONS = [version('old', 90), version('new', 10)]
const request = (headers: Record<string, string>) => new Request('http://x/', { headers })

describe('pickByShare()', () => {
  it.each([
    [0, 'old'],
    [0.8999, 'old'],
    [0.9, 'new'],
    [0.9999, 'new'],
  ])('at %s of the unit interval picks %s', (point, expected) => {
    expect(pickByShare(VERSIONS, point)?.id).toBe(expected)
  })

  it('never picks a version with no share', () => {
    expect(pickByShare([version('none', 0), version('all', 100)], 0)?.id).toBe('all')
  })

  it('picks nothing when nothing is deployed', () => {
    expect(pickByShare([], 0.5)).toBeUndefined()
  })
})

describe('pickVersion()', () => {
  it('gives equal keys the same version, and many keys their shares', () => {
    const counts = { old: 0, new: 0 }
    for (let i = 0; i < 5000; i++) {
      const asked = request({ 'cloudflare-workers-version-key': `user-${i}` })
      const first = pickVersion(VERSIONS, asked)?.id as 'old' | 'new'
      expect(pickVersion(VERSIONS, asked)?.id).toBe(first)
      counts[first]++
    }
    // 99.99 % bounds of the binomial: 500 ± 3.9 σ, σ = 21.2.
    expect(counts.new).toBeGreaterThan(417)
    expect(counts.new).toBeLessThan(583)
  })

  it('follows an override that names a deployed version', () => {
    const header = 'cloudflare-workers-version-overrides'
    expect(
      pickVersion([version('none', 0), version('all', 100)], request({ [header]: 'app="none"' }))?.id,
    ).toBe('none')
    expect(pickVersion([version('all', 100)], request({ [header]: 'app="gone"' }))?.id).toBe('all')
  })
})
