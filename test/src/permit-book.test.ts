import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PermitBook } from '../../src/core/permit-book.ts'
import { leaseMs, type PermitRequest } from '../../src/core/permits.ts'
import { SlidingWindow } from '../../src/core/sliding-window.ts'
import { TokenBucket } from '../../src/core/token-bucket.ts'

const T0 = Date.UTC(2026, 10, 21, 12)

function ask(changes: Partial<PermitRequest> = {}): PermitRequest {
  return {
    key: 'k',
    algorithm: 'sliding-window',
    limit: 10,
    windowMs: 60_000,
    burst: changes.limit ?? 10,
    wanted: 1,
    needed: 1,
    ahead: 0,
    unspent: 0,
    unspentUntilMs: 0,
    ...changes,
  }
}

/** The most that fell within any window: closed at its begin, open at its end. */
function mostWithin(times: readonly number[], windowMs: number): number {
  const sorted = times.toSorted((a, b) => a - b)
  let most = 0
  for (let from = 0, to = 0; to < sorted.length; to++) {
    while ((sorted[to] as number) - (sorted[from] as number) >= windowMs) from++
    most = Math.max(most, to - from + 1)
  }
  return most
}

/** By how much the permits of any stretch of time exceed burst + rate · t. */
function excessOfBucket(times: readonly number[], burst: number, rate: number): number {
  const sorted = times.toSorted((a, b) => a - b)
  let worst = Number.NEGATIVE_INFINITY
  // max over i ≤ j of (j - i + 1) - burst - rate·(t_j - t_i)
  let best = Number.NEGATIVE_INFINITY
  for (const [j, time] of sorted.entries()) {
    best = Math.max(best, rate * (time - T0) - j)
    worst = Math.max(worst, j + 1 - burst - rate * (time - T0) + best)
  }
  return worst
}

const gaps = fc.array(
  fc.tuple(
    fc.oneof({ weight: 8, arbitrary: fc.nat(9) }, fc.nat(30), fc.nat(500), fc.nat(5000)),
    fc.integer({ min: 1, max: 4 }),
  ),
  { minLength: 1, maxLength: 400, size: 'max' },
)

describe('SlidingWindow', () => {
  it('never lets more than the limit into any window', () => {
    fc.assert(
      fc.property(gaps, fc.integer({ min: 1, max: 60 }), (steps, limit) => {
        const window = new SlidingWindow()
        const spent: number[] = []
        let now = T0
        for (const [gap, count] of steps) {
          now += gap
          for (let i = 0; i < count; i++) {
            if (window.used(now) + 1 > limit) continue
            window.add(1, now, now, 1000)
            spent.push(now)
          }
        }
        expect(mostWithin(spent, 1000)).toBeLessThanOrEqual(limit)
      }),
    )
  })

  it('decides as a log of all times does, but for 1 % of the window', () => {
    fc.assert(
      fc.property(gaps, fc.integer({ min: 1, max: 60 }), (steps, limit) => {
        const window = new SlidingWindow()
        const log: number[] = []
        let now = T0
        for (const [gap] of steps) {
          now += gap
          const isFree = window.used(now) < limit
          if (!isFree) expect(log.filter(at => now - at < 1010).length).toBeGreaterThanOrEqual(limit)
          if (!isFree) continue
          window.add(1, now, now, 1000)
          log.push(now)
        }
      }),
    )
  })

  it('is exact for a few grants: free at the very moment the window has passed', () => {
    const window = new SlidingWindow()
    for (let i = 0; i < 5; i++) window.add(1, T0 + i, T0 + i, 1000)
    expect([999, 1000, 1001].map(ms => window.used(T0 + ms))).toEqual([5, 4, 3])
  })

  it('says when permits are free, and they are then', () => {
    fc.assert(
      fc.property(gaps, fc.nat(20), (steps, used) => {
        const window = new SlidingWindow()
        let now = T0
        for (const [gap, count] of steps) {
          now += gap
          window.add(count, now, now, 1000)
        }
        const ms = window.msUntil(used, now)
        if (ms > 0) expect(window.used(now + ms - 1)).toBeGreaterThan(used)
        expect(window.used(now + ms)).toBeLessThanOrEqual(used)
      }),
    )
  })

  it('counts what was granted ahead until it can be in no window any more', () => {
    const window = new SlidingWindow()
    window.add(5, T0, T0 + 10, 1000)
    expect([1009, 1010].map(ms => window.used(T0 + ms))).toEqual([5, 0])
  })

  it('takes unspent permits back, once', () => {
    const window = new SlidingWindow()
    window.add(5, T0, T0 + 10, 1000)
    window.add(2, T0 + 500, T0 + 500, 1000)
    window.remove(6, T0 + 500)
    expect([500, 1010, 1500].map(ms => window.used(T0 + ms))).toEqual([1, 1, 0])
    window.remove(6, T0 + 1500)
    expect(window.used(T0 + 1500)).toBe(0)
  })

  it('holds a bounded number of slices', () => {
    const window = new SlidingWindow()
    for (let i = 0; i < 100_000; i++) window.add(1, T0 + i / 10, T0 + i / 10, 60_000)
    const { duration } = measure(() => window.msUntil(0, T0 + 10_000))
    expect(window.used(T0 + 10_000)).toBe(100_000)
    expect(duration).toBeLessThan(5)
  })

  it('forgets a future that a clock invented which is set back', () => {
    const window = new SlidingWindow()
    window.add(5, T0 + 86_400_000, T0 + 86_400_000, 1000)
    window.endBy(T0 + 1010)
    expect([0, 1009, 1010].map(ms => window.used(T0 + ms))).toEqual([5, 5, 0])
  })
})

describe('TokenBucket', () => {
  it('lets at most burst + rate · t in, and misses none that a plain bucket has', () => {
    fc.assert(
      fc.property(
        gaps,
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 40 }),
        (steps, limit, burst) => {
          const rate = limit / 1000
          const bucket = new TokenBucket(T0)
          const spent: number[] = []
          let [now, tokens] = [T0, burst]
          for (const [gap, count] of steps) {
            now += gap
            tokens = Math.min(burst, tokens + gap * rate)
            const isTaken = bucket.take(count, burst, now, rate)
            if (Math.abs(tokens - count) > 1e-6) expect(isTaken).toBe(tokens >= count)
            if (!isTaken) continue
            tokens -= count
            for (let i = 0; i < count; i++) spent.push(now)
          }
          expect(excessOfBucket(spent, burst, rate)).toBeLessThan(1e-6)
        },
      ),
    )
  })

  it('goes on after a clock is set back', () => {
    const bucket = new TokenBucket(T0 + 86_400_000)
    expect(bucket.take(10, 10, T0 + 86_400_000, 0.01)).toBe(true)
    expect(bucket.take(1, 10, T0, 0.01)).toBe(false)
    expect(bucket.take(1, 10, T0 + 100, 0.01)).toBe(true)
  })

  it('gives nothing for time that passes twice within a second', () => {
    const bucket = new TokenBucket(T0)
    expect(bucket.take(10, 10, T0, 0.01)).toBe(true)
    for (let i = 0; i < 10; i++) {
      bucket.debt(T0 + 90, 0.01)
      bucket.debt(T0, 0.01)
    }
    expect(bucket.take(1, 10, T0 + 99, 0.01)).toBe(false)
    expect(bucket.take(1, 10, T0 + 100, 0.01)).toBe(true)
  })

  it('is precise at a million permits a second', () => {
    const bucket = new TokenBucket(T0)
    let taken = 0
    for (let i = 0; i <= 1000; i++) while (bucket.take(1, 1000, T0 + i, 1000)) taken++
    expect(taken).toBe(1000 + 1000 * 1000)
  })
})

describe('TokenBucket with leases', () => {
  const leases = fc.array(
    fc.tuple(fc.nat(8), fc.integer({ min: 1, max: 20 }), fc.nat(20), fc.integer({ min: 1, max: 40 })),
    { minLength: 1, maxLength: 30 },
  )

  it('says when permits will be there, and they are then and not before', () => {
    fc.assert(
      fc.property(leases, fc.nat(100), (steps, wanted) => {
        const rate = 0.5
        const bucket = new TokenBucket(T0)
        let now = T0
        for (const [gap, count, ahead, life] of steps) {
          now += gap
          bucket.debt(now, rate)
          bucket.lease(count + ahead, ahead, now + life, 5)
        }
        const ms = bucket.msUntilDebt(wanted, now, rate)
        if (ms > 0.01) expect(bucket.debt(now + ms - 0.01, rate)).toBeGreaterThan(wanted)
        expect(bucket.debt(now + ms + 0.001, rate)).toBeLessThanOrEqual(wanted + 1e-6)
      }),
    )
  })
})

describe('PermitBook', () => {
  /** Leases of this window last 5 % of it, and there are enough steps to use the limit up several times. */
  const WINDOW_MS = 200
  interface Step {
    readonly gap: number
    readonly edge: number
    readonly wanted: number
    readonly ahead: number
    /** When the edge spends what it got ahead. */
    readonly fate: 'at once' | 'at the end' | 'never'
  }
  const steps: fc.Arbitrary<Step[]> = fc.array(
    fc.record({
      gap: fc.oneof({ weight: 8, arbitrary: fc.nat(4) }, { weight: 1, arbitrary: fc.nat(150) }),
      edge: fc.nat(3),
      wanted: fc.oneof(fc.integer({ min: 1, max: 3 }), fc.nat(60), fc.constant(5000)),
      ahead: fc.nat(40),
      fate: fc.constantFrom('at once', 'at the end', 'at the end', 'never'),
    }),
    { minLength: 60, maxLength: 300, size: 'max' },
  )

  /** When the permits that several edges take are spent. */
  function simulate(steps: readonly Step[], base: Partial<PermitRequest>): number[] {
    const book = new PermitBook(T0)
    const unspent = new Map<number, { unspent: number; unspentUntilMs: number }>()
    const spent: number[] = []
    let now = T0 + 100
    for (const { gap, edge, wanted, ahead, fate } of steps) {
      now += gap
      const given = unspent.get(edge)?.unspentUntilMs ?? 0
      // It still holds what it will never spend: an edge asks again when that has ended.
      const back = given <= now ? unspent.get(edge) : undefined
      if (back) unspent.delete(edge)
      const request = ask({
        ...base,
        windowMs: WINDOW_MS,
        wanted,
        needed: Math.min(wanted, 1),
        ahead,
        ...back,
      })
      const { granted, expiresAtMs } = book.take(request, now)
      const at = Math.min(granted, wanted)
      for (let i = 0; i < at; i++) spent.push(now)
      const left = granted - at
      if (fate === 'never' && left > 0 && !unspent.has(edge)) {
        unspent.set(edge, { unspent: left, unspentUntilMs: expiresAtMs })
      } else {
        for (let i = 0; i < left; i++) spent.push(fate === 'at once' ? now : expiresAtMs - 0.001)
      }
    }
    return spent
  }

  it.each([1, 10, 128, 400, 2000])(
    'never lets more than the limit of %i into any window, however late edges spend',
    limit => {
      fc.assert(
        fc.property(steps, steps => {
          expect(mostWithin(simulate(steps, { limit }), WINDOW_MS)).toBeLessThanOrEqual(limit)
        }),
      )
    },
  )

  it.each([
    [10, 1],
    [128, 128],
    [200, 400],
    [2000, 200],
  ])('never lets more than burst + rate · t through a bucket (limit %i, burst %i)', (limit, burst) => {
    fc.assert(
      fc.property(steps, steps => {
        const spent = simulate(steps, { algorithm: 'token-bucket', limit, burst })
        expect(excessOfBucket(spent, burst, limit / WINDOW_MS)).toBeLessThan(1e-6)
      }),
    )
  })

  it.each([
    ['below 128, none ahead', 127, 100, 0],
    ['of 128, a sixteenth', 128, 100, 8],
    ['of 1,600, the hundred that are wanted', 1600, 100, 100],
    ['no more than are asked for', 1600, 3, 3],
  ])('grants ahead %s', (_, limit, ahead, granted) => {
    const grant = new PermitBook(T0).take(ask({ limit, ahead }), T0)
    expect(grant).toMatchObject({
      granted: 1 + granted,
      expiresAtMs: granted > 0 ? T0 + leaseMs(60_000) : 0,
      remaining: limit - 1 - granted,
    })
  })

  it('grants ahead no more than a quarter of what is left, so that no edge holds the last ones', () => {
    const book = new PermitBook(T0)
    book.take(ask({ limit: 1600, wanted: 1560 }), T0)
    expect(book.take(ask({ limit: 1600, ahead: 100 }), T0).granted).toBe(1 + 9)
  })

  it('grants those that wait what there is, and none if that is fewer than needed', () => {
    const book = new PermitBook(T0)
    expect(book.take(ask({ wanted: 8, needed: 1 }), T0)).toMatchObject({ granted: 8, retryAfterMs: 0 })
    expect(book.take(ask({ wanted: 8, needed: 3 }), T0)).toMatchObject({ granted: 0, remaining: 2 })
    expect(book.take(ask({ wanted: 8, needed: 1 }), T0)).toMatchObject({
      granted: 2,
      remaining: 0,
      retryAfterMs: 60_000,
      resetMs: 60_000,
    })
  })

  it('only reads when nothing is wanted', () => {
    const book = new PermitBook(T0)
    const read = ask({ wanted: 0 })
    expect(book.take(read, T0)).toEqual({
      granted: 0,
      expiresAtMs: 0,
      remaining: 10,
      retryAfterMs: 0,
      resetMs: 0,
    })
    book.take(ask({ wanted: 10 }), T0)
    expect(book.take(read, T0 + 1000)).toMatchObject({ remaining: 0, retryAfterMs: 59_000 })
  })

  it('takes back what an edge did not spend, unless another process granted it', () => {
    const book = new PermitBook(T0)
    const { granted, expiresAtMs } = book.take(ask({ limit: 128, ahead: 8 }), T0)
    expect(granted).toBe(9)
    const unspent = { limit: 128, wanted: 0, needed: 0, unspent: 8, unspentUntilMs: expiresAtMs }
    expect(book.take(ask(unspent), T0 + 700).remaining).toBe(127)
    const later = new PermitBook(T0 + 1)
    later.take(ask({ limit: 128, wanted: 8 }), T0 + 1)
    expect(later.take(ask(unspent), T0 + 700).remaining).toBe(120)
  })

  it.each(['sliding-window', 'token-bucket'] as const)(
    'forgets idle keys of a %s as others come',
    algorithm => {
      const book = new PermitBook(T0)
      for (let i = 0; i < 1000; i++) book.take(ask({ algorithm, key: `${i}` }), T0)
      expect(book.size).toBe(1000)
      for (let i = 0; i < 1000; i++) book.take(ask({ algorithm, key: 'one' }), T0 + 60_000 + i * 6000)
      expect(book.size).toBe(1)
    },
  )

  it('holds no more keys than it may', () => {
    const book = new PermitBook(T0, 100)
    for (let i = 0; i < 1000; i++) book.take(ask({ key: `${i}` }), T0)
    expect(book.size).toBeLessThanOrEqual(100)
    expect(book.take(ask({ key: '999' }), T0).remaining).toBe(8)
  })

  it('follows a policy that changes its algorithm, limit or window', () => {
    const book = new PermitBook(T0)
    book.take(ask({ wanted: 10 }), T0)
    expect(book.take(ask({ limit: 20, wanted: 20 }), T0).granted).toBe(10)
    expect(book.take(ask({ limit: 5 }), T0)).toMatchObject({ granted: 0, remaining: 0 })
    expect(book.take(ask({ windowMs: 1000, limit: 30 }), T0 + 1010).granted).toBe(1)
    expect(book.take(ask({ algorithm: 'token-bucket' }), T0 + 1010).granted).toBe(1)
  })
})

function measure(work: () => unknown): { duration: number } {
  const startedAt = performance.now()
  work()
  return { duration: performance.now() - startedAt }
}
