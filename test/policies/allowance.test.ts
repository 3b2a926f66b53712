import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  Allowance,
  type AllowanceGrant,
  type AllowanceRequest,
  type AllowanceSource,
  type AllowanceWay,
} from '../../routes/policies/allowance.ts'
import { PermitBook } from '../../src/core/permit-book.ts'
import { leaseMs } from '../../src/core/permits.ts'

/** A clock, and a far side whose answers are given by the test. */
function setUp({ ahead = () => 0 }: Partial<AllowanceSource> = {}) {
  const clock = { nowMs: 1000 }
  const asked: AllowanceRequest[] = []
  const answers: ((grant: Partial<AllowanceGrant> | Error) => void)[] = []
  const way: AllowanceWay = {
    ask(request) {
      asked.push(request)
      const { promise, resolve, reject } = Promise.withResolvers<AllowanceGrant>()
      answers.push(grant => {
        if (grant instanceof Error) return reject(grant)
        const rest = { granted: 0, expiresAtMs: 0, remaining: 0, retryAfterMs: 0, resetMs: 0 }
        resolve({ ...rest, ...grant })
      })
      return promise
    },
    waitUntil: () => {},
  }
  const allowance = new Allowance({ now: () => clock.nowMs, ahead })
  /** Answers the oldest question, once it is asked. */
  const answer = async (grant: Partial<AllowanceGrant> | Error) => {
    await expect.poll(() => answers.length).toBeGreaterThan(0)
    answers.shift()?.(grant)
  }
  return { clock, asked, answer, way, allowance }
}

describe('Allowance', () => {
  it('asks once for all that wait, and lets those through for which there is enough, in order', async () => {
    const { allowance, way, asked, answer } = setUp()
    const waiting = [1, 1, 1].map(cost => allowance.wait(cost, way))
    await answer({ granted: 2, retryAfterMs: 500 })
    expect(await Promise.all(waiting)).toEqual([true, true, false])
    expect(asked).toMatchObject([{ wanted: 3, needed: 1 }])
    expect(allowance.retryAfterMs(1000)).toBe(500)
  })

  it('asks a second time for those who come while it asks', async () => {
    const { allowance, way, asked, answer } = setUp()
    const first = allowance.wait(1, way)
    await expect.poll(() => asked.length).toBe(1)
    const later = [allowance.wait(2, way), allowance.wait(3, way)]
    await answer({ granted: 1 })
    expect(await first).toBe(true)
    await answer({ granted: 5 })
    expect(await Promise.all(later)).toEqual([true, true])
    expect(asked.slice(1)).toMatchObject([{ wanted: 5, needed: 2 }])
  })

  it('serves those who came meanwhile from what was got ahead', async () => {
    const { allowance, way, asked, answer } = setUp({ ahead: () => 10 })
    const first = allowance.wait(1, way)
    await expect.poll(() => asked.length).toBe(1)
    const later = allowance.wait(2, way)
    await answer({ granted: 11, expiresAtMs: 2000 })
    expect(await Promise.all([first, later])).toEqual([true, true])
    expect(asked).toHaveLength(1)
    expect(allowance.held(1000)).toBe(8)
  })

  it('lets who waits through though the answer comes after the end of what was got ahead', async () => {
    const { allowance, way, asked, answer, clock } = setUp({ ahead: () => 10 })
    const first = allowance.wait(1, way)
    await expect.poll(() => asked.length).toBe(1)
    clock.nowMs = 2000
    await answer({ granted: 11, expiresAtMs: 2000 })
    expect(await first).toBe(true)
    expect(allowance.spend(1, 2000)).toBe(false)
  })

  it('spends what it has until its end, and gives back the rest when it asks again', async () => {
    const { allowance, way, asked, answer, clock } = setUp({ ahead: () => 10 })
    const first = allowance.wait(1, way)
    await answer({ granted: 11, expiresAtMs: 2000 })
    await first
    expect(allowance.spend(4, 1999)).toBe(true)
    expect(allowance.spend(1, 2000)).toBe(false)
    clock.nowMs = 2000
    const next = allowance.wait(1, way)
    await answer({ granted: 1 })
    expect(await next).toBe(true)
    expect(asked[1]).toMatchObject({ unspent: 6, unspentUntilMs: 2000 })
    const last = allowance.wait(1, way)
    await answer({ granted: 1 })
    expect(await last).toBe(true)
    expect(asked[2]).toMatchObject({ unspent: 0 })
  })

  it('is low when a quarter is left, asks once, and spends the older units first', async () => {
    const { allowance, way, asked, answer } = setUp({ ahead: () => 16 })
    const first = allowance.wait(1, way)
    await answer({ granted: 17, expiresAtMs: 2000 })
    await first
    expect(allowance.spend(11, 1000)).toBe(true)
    expect(allowance.isLow(1000)).toBe(false)
    expect(allowance.spend(1, 1000)).toBe(true)
    expect(allowance.isLow(1000)).toBe(true)
    allowance.refill(way)
    expect(allowance.isLow(1000)).toBe(false)
    await answer({ granted: 16, expiresAtMs: 3000 })
    await expect.poll(() => allowance.held(1000)).toBe(20)
    expect(asked[1]).toMatchObject({ wanted: 0, needed: 0, ahead: 16 })
    expect(allowance.spend(6, 1000)).toBe(true)
    expect(allowance.held(2000)).toBe(14)
    expect(allowance.held(3000)).toBe(0)
  })

  it('believes a refusal for a second at most, for requests that cost as much', async () => {
    const { allowance, way, answer } = setUp()
    const refused = allowance.wait(3, way)
    await answer({ granted: 0, remaining: 2, retryAfterMs: 60_000 })
    expect(await refused).toBe(false)
    expect([2, 3, 4].map(cost => allowance.isBlocked(cost, 1999))).toEqual([false, true, true])
    expect(allowance.isBlocked(3, 2000)).toBe(false)
  })

  it('fails those who wait when asking fails, and asks anew after that', async () => {
    const { allowance, way, answer } = setUp()
    const waiting = [allowance.wait(1, way), allowance.wait(1, way)]
    await answer(new Error('away'))
    await expect(Promise.all(waiting)).rejects.toThrow('away')
    const next = allowance.wait(1, way)
    await answer({ granted: 1 })
    expect(await next).toBe(true)
  })

  it('does not wait for an asking that died with its request', async () => {
    const { allowance, way, asked, answer, clock } = setUp()
    const dead = allowance.wait(1, way)
    await expect.poll(() => asked.length).toBe(1)
    clock.nowMs += 3001
    const next = allowance.wait(1, way)
    await expect.poll(() => asked.length).toBe(2)
    await answer({ granted: 1 })
    await answer({ granted: 1 })
    expect(await Promise.all([dead, next])).toEqual([true, true])
  })

  it('never spends more than was granted, in time', async () => {
    const steps = fc.array(
      fc.record({
        gap: fc.nat(20),
        cost: fc.integer({ min: 1, max: 4 }),
        latency: fc.nat(30),
        count: fc.nat(6),
      }),
      { minLength: 1, maxLength: 60, size: 'max' },
    )
    await fc.assert(
      fc.asyncProperty(steps, fc.constantFrom(200, 1000, 4000), async (steps, limit) => {
        const windowMs = 1000
        let nowMs = 5000
        const book = new PermitBook(0)
        const source = { now: () => nowMs, ahead: (spent: number) => 2 * spent }
        const edges = [new Allowance(source), new Allowance(source)]
        const spent: { atMs: number; cost: number }[] = []
        for (const { gap, cost, latency, count } of steps) {
          nowMs += gap
          const way: AllowanceWay = {
            async ask(request) {
              const grant = book.take(
                { ...request, key: 'k', algorithm: 'sliding-window', limit, windowMs, burst: limit },
                nowMs,
              )
              const until = nowMs + latency
              await Promise.resolve()
              nowMs = Math.max(nowMs, until)
              return grant
            },
            waitUntil: () => {},
          }
          const atMs = nowMs
          const work = Array.from({ length: count }, async (_, i) => {
            const edge = edges[i % 2] as Allowance
            if (edge.spend(cost, nowMs)) {
              spent.push({ atMs: nowMs, cost })
              if (edge.isLow(nowMs)) edge.refill(way)
            } else if (!edge.isBlocked(cost, nowMs) && (await edge.wait(cost, way))) {
              // Granted between its arrival and now: when exactly is the book's secret.
              spent.push({ atMs, cost })
            }
          })
          await Promise.all(work)
        }
        // What waited counts as spent when it came, at most a step's time before its grant.
        const slackMs = 100
        for (const { atMs: from } of spent) {
          const within = spent.filter(({ atMs }) => atMs >= from && atMs < from + windowMs - slackMs)
          expect(within.reduce((sum, { cost }) => sum + cost, 0)).toBeLessThanOrEqual(limit)
        }
      }),
      { numRuns: 60 },
    )
  })
})

describe('leaseMs()', () => {
  it.each([
    [1000, 10],
    [60_000, 600],
    [86_400_000, 5000],
  ])('of a window of %i ms is %i ms', (windowMs, expected) => {
    expect(leaseMs(windowMs)).toBe(expected)
  })
})
