import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Line, leaveLine, type Place, takePlace } from '../../bindings/durable-object/line.ts'

/** Looks that pass when the test says so. */
function openLine() {
  const looks: (() => void)[] = []
  const line = new Line(() => new Promise(resolve => looks.push(resolve)))
  const made: unknown[] = []
  return {
    made,
    arrive: (object: string, place: Place | undefined, name: unknown = place?.number) =>
      line.enter(object, place, async () => made.push(name)),
    /** Who waits at the moment is never heard of again. */
    giveUp: () => looks.splice(0),
    lookOnce: async () => {
      for (const pass of looks.splice(0)) pass()
      await settled()
    },
  }
}

const settled = () => new Promise(resolve => setImmediate(resolve))
const takePlaces = (object: string, count: number) => Array.from({ length: count }, () => takePlace(object))

describe('places in line', () => {
  test('count from 0 for each object, and anew after a lost connection', () => {
    leaveLine()
    expect(takePlaces('a', 2)).toMatchObject([
      { number: 0, isFree: true },
      { number: 1, isFree: false },
    ])
    const [other] = takePlaces('b', 1)
    expect(other).toMatchObject({ number: 0, isFree: true })
    leaveLine()
    const [anew] = takePlaces('a', 1)
    expect(anew).toMatchObject({ number: 0, isFree: true })
    expect(anew?.sender).not.toBe(other?.sender)
  })
})

describe('a line', () => {
  test('makes calls in the order in which they were sent, however they arrive', async () => {
    const order = (size: number) => fc.shuffledSubarray([...Array(size).keys()], { minLength: size })
    const arrivals = fc.integer({ min: 1, max: 12 }).chain(order)
    await fc.assert(
      fc.asyncProperty(arrivals, fc.array(fc.boolean()), async (numbers, pauses) => {
        leaveLine()
        const { arrive, made } = openLine()
        const places = takePlaces('a', numbers.length)
        const calls: Promise<unknown>[] = []
        for (const [at, number] of numbers.entries()) {
          calls.push(arrive('a', places[number]))
          if (pauses[at]) await settled()
        }
        await Promise.all(calls)
        expect(made).toEqual([...places.keys()])
      }),
    )
  })

  test('makes a call at once where there is no order: of another object, of another process, of no process', () => {
    leaveLine()
    const { arrive, made } = openLine()
    const [, second] = takePlaces('a', 2)
    const [other] = takePlaces('b', 1)
    void arrive('a', second)
    void arrive('b', other, 'another object')
    leaveLine()
    void arrive('a', takePlace('a'), 'another process')
    void arrive('a', undefined, 'no process')
    expect(made).toEqual(['another object', 'another process', 'no process'])
  })

  test('goes on, in a while, though one that waits ahead was given up', async () => {
    leaveLine()
    const { arrive, made, lookOnce, giveUp } = openLine()
    const [, second, third, fourth] = takePlaces('a', 4)
    void arrive('a', second)
    giveUp()
    const calls = [arrive('a', third), arrive('a', fourth)]
    for (let looks = 0; looks < 49; looks++) await lookOnce()
    expect(made).toEqual([])
    await lookOnce()
    await Promise.all(calls)
    expect(made).toEqual([2, 3])
  })

  test('goes on after a call that never comes, and after one that failed', async () => {
    leaveLine()
    const { arrive, made, lookOnce } = openLine()
    const [, second, third, fourth] = takePlaces('a', 4)
    const calls = [arrive('a', third), arrive('a', second)]
    for (let looks = 0; looks < 9; looks++) await lookOnce()
    expect(made).toEqual([])
    await lookOnce()
    await Promise.all(calls)
    expect(made).toEqual([1, 2])

    const line = new Line()
    const failed = line.enter('a', { sender: 's', number: 0, isFree: true }, () =>
      Promise.reject(Error('no')),
    )
    await expect(failed).rejects.toThrow('no')
    await line.enter('a', { sender: 's', number: 1, isFree: false }, async () => made.push('after a failure'))
    await arrive('a', fourth)
    expect(made).toEqual([1, 2, 'after a failure', 3])
  })
})
