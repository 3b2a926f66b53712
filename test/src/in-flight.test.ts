import { describe, expect, it } from 'vitest'
import { InFlight } from '../../src/core/in-flight.ts'

describe('InFlight', () => {
  it('admits up to the limit and refuses one more', () => {
    const inFlight = new InFlight(1000)
    expect(inFlight.enter(2, 0)).toBeDefined()
    expect(inFlight.enter(2, 0)).toBeDefined()
    expect(inFlight.enter(2, 0)).toBeUndefined()
  })

  it('admits again when one has left', () => {
    const inFlight = new InFlight(1000)
    const slot = inFlight.enter(1, 0)
    if (slot) inFlight.leave(slot)
    expect(inFlight.enter(1, 0)).toBeDefined()
  })

  it('counts what began in the window before', () => {
    const inFlight = new InFlight(1000)
    inFlight.enter(1, 0)
    expect(inFlight.enter(1, 1000)).toBeUndefined()
    expect(inFlight.enter(1, 1999)).toBeUndefined()
  })

  it('forgets, after two windows, what never told its end', () => {
    const inFlight = new InFlight(1000)
    inFlight.enter(1, 0)
    inFlight.enter(1, 1000)
    expect(inFlight.enter(1, 2000)).toBeDefined()
  })

  it('takes a late end without counting below what is under way', () => {
    const inFlight = new InFlight(1000)
    const late = inFlight.enter(2, 0)
    inFlight.enter(2, 2500)
    if (late) inFlight.leave(late)
    expect(inFlight.enter(2, 2500)).toBeDefined()
    expect(inFlight.enter(2, 2500)).toBeUndefined()
  })
})
