import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  AccountGate,
  type AdmissionLimits,
  countOut,
  OFFER_MS,
  ScriptGate,
  type Slot,
  type Waiter,
} from '../../src/core/admission.ts'

const LIMITS: AdmissionLimits = {
  concurrency: 2,
  accountConcurrency: 3,
  queueLength: 3,
  queueMs: 250,
  windowMs: 30_000,
}

function createGates(limits: Partial<AdmissionLimits> = {}): {
  account: AccountGate
  one: ScriptGate
  two: ScriptGate
} {
  const account = new AccountGate({ ...LIMITS, ...limits })
  return { account, one: new ScriptGate(account), two: new ScriptGate(account) }
}

function leave(slot: Slot | undefined, nowMs: number): void {
  if (!slot) throw new Error('There is no place to give back.')
  countOut(slot)
  if (slot.account.gate.isContended) slot.account.gate.dispatch(nowMs)
}

/** Gets in line; its name is noted when it is woken. */
function queue(gate: ScriptGate, nowMs: number, name = '', woken: string[] = []): Waiter {
  const waiter = gate.wait(nowMs, () => woken.push(name))
  if (!waiter) throw new Error('The queue is full.')
  return waiter
}

describe('ScriptGate.enter()', () => {
  it('admits up to the limit of the script, and none past it', () => {
    const { one } = createGates()
    expect([one.enter(0), one.enter(0)]).not.toContain(undefined)
    expect(one.enter(0)).toBeUndefined()
    expect(one.fullBy).toBe('script')
  })

  it('admits up to the limit of the account, and none past it', () => {
    const { one, two } = createGates()
    expect([one.enter(0), one.enter(0), two.enter(0)]).not.toContain(undefined)
    expect(two.enter(0)).toBeUndefined()
    expect(two.fullBy).toBe('account')
  })

  it('admits again when one has left', () => {
    const { one } = createGates({ concurrency: 1 })
    leave(one.enter(0), 1)
    expect(one.enter(1)).toBeDefined()
  })

  it('lets nobody overtake those that wait', () => {
    const { one } = createGates({ concurrency: 1 })
    const slot = one.enter(0)
    queue(one, 1)
    leave(slot, 2)
    expect(one.enter(2)).toBeUndefined()
  })

  it.each([
    ['the window of its start', 29_999, false],
    ['the window after', 59_999, false],
    ['two windows', 60_000, true],
  ])('counts what never told its end during %s', (_, nowMs, isForgotten) => {
    const script = createGates({ concurrency: 1, accountConcurrency: 9 })
    script.one.enter(0)
    expect(script.one.enter(nowMs) !== undefined).toBe(isForgotten)
    const account = createGates({ concurrency: 9, accountConcurrency: 1 })
    account.one.enter(0)
    expect(account.two.enter(nowMs) !== undefined).toBe(isForgotten)
  })

  it('takes the end of something forgotten without counting below what is under way', () => {
    const { one } = createGates({ concurrency: 1, accountConcurrency: 1 })
    const forgotten = one.enter(0)
    expect(one.enter(60_000)).toBeDefined()
    leave(forgotten, 60_000)
    expect(one.enter(60_000)).toBeUndefined()
  })

  it('goes on when the clock is set back', () => {
    const { one } = createGates({ concurrency: 1 })
    leave(one.enter(1_000_000), 1_000_000)
    expect(one.enter(1000)).toBeDefined()
    expect(one.enter(1000)).toBeUndefined()
  })
})

describe('the queue of a script', () => {
  it('takes up to its length, and none past it', () => {
    const { one } = createGates({ concurrency: 1 })
    one.enter(0)
    const waiters = Array.from({ length: LIMITS.queueLength }, () => one.wait(0, () => {}))
    expect(waiters).not.toContain(undefined)
    expect(one.wait(0, () => {})).toBeUndefined()
  })

  it('holds nobody longer than the time, told or not', () => {
    const { one } = createGates({ concurrency: 1 })
    one.enter(0)
    for (let i = 0; i < LIMITS.queueLength; i++) queue(one, 0)
    expect(one.wait(249, () => {})).toBeUndefined()
    expect(one.wait(250, () => {})).toBeDefined()
  })

  it('gets freed places first come, first served', () => {
    const { one } = createGates({ concurrency: 1 })
    const slot = one.enter(0)
    const woken: string[] = []
    const first = queue(one, 1, 'first', woken)
    const second = queue(one, 2, 'second', woken)
    leave(slot, 10)
    expect(woken).toEqual(['first'])
    leave(one.claim(first, 11), 12)
    expect(woken).toEqual(['first', 'second'])
    expect(one.claim(second, 13)).toBeDefined()
  })

  it('gives up a place that was not taken: its request has lost its caller', () => {
    const { one } = createGates({ concurrency: 1 })
    const slot = one.enter(0)
    const woken: string[] = []
    queue(one, 1, 'gone', woken)
    const next = queue(one, 1, 'next', woken)
    leave(slot, 10)
    one.enter(10 + OFFER_MS - 1)
    expect(woken).toEqual(['gone'])
    one.enter(10 + OFFER_MS)
    expect(woken).toEqual(['gone', 'next'])
    expect(one.claim(next, 10 + OFFER_MS)).toBeDefined()
    expect(one.enter(11 + OFFER_MS), 'only one place').toBeUndefined()
  })

  it('gives it up to a newcomer, too', () => {
    const { one } = createGates({ concurrency: 1 })
    const slot = one.enter(0)
    queue(one, 1)
    leave(slot, 10)
    expect(one.enter(10 + OFFER_MS - 1)).toBeUndefined()
    expect(one.enter(10 + OFFER_MS)).toBeDefined()
  })

  it('lets one that was late for its offer have a place that is free', () => {
    const { one } = createGates({ concurrency: 1 })
    const slot = one.enter(0)
    const late = queue(one, 1)
    leave(slot, 10)
    expect(one.claim(late, 10 + OFFER_MS + 100)).toBeDefined()
    expect(one.enter(10 + OFFER_MS + 100)).toBeUndefined()
  })

  it('gives its first a place at the very end of its time', () => {
    const { one } = createGates({ concurrency: 1 })
    const slot = one.enter(0)
    queue(one, 0, 'gone')
    const patient = queue(one, 5)
    queue(one, 6, 'behind')
    leave(slot, 10)
    expect(one.claim(patient, 255)).toBeDefined()
  })

  it('ends empty-handed when the time is over', () => {
    const { one } = createGates({ concurrency: 1 })
    const slot = one.enter(0)
    const waiter = queue(one, 0)
    expect(one.claim(waiter, 250)).toBeUndefined()
    leave(slot, 250)
    expect(one.enter(250), 'nobody waits any more').toBeDefined()
  })
})

describe('the scripts of an account', () => {
  it('get freed places in turn', () => {
    const { one, two, account } = createGates({ concurrency: 9, accountConcurrency: 3, queueLength: 9 })
    const slots = [one.enter(0), one.enter(0), one.enter(0)]
    const three = new ScriptGate(account)
    const woken: string[] = []
    const waiters = [one, one, one, two, two, three].map((gate, i) => queue(gate, i, `${i}`, woken))
    for (const slot of slots) leave(slot, 10)
    expect(woken).toEqual(['0', '3', '5'])
    for (const i of [0, 3, 5]) leave((waiters[i] as Waiter).gate.claim(waiters[i] as Waiter, 10), 10)
    expect(woken).toEqual(['0', '3', '5', '1', '4', '2'])
  })

  it('get all places that become free at once', () => {
    const { one, two, account } = createGates({ concurrency: 4, accountConcurrency: 6, queueLength: 9 })
    const lost = new ScriptGate(account)
    for (let i = 0; i < 2; i++) lost.enter(0)
    for (let i = 0; i < 4; i++) one.enter(30_000)
    const woken: string[] = []
    queue(one, 59_990, 'full', woken)
    for (const name of ['a', 'b']) queue(two, 59_990, name, woken)
    account.dispatch(59_999)
    expect(woken).toEqual([])
    account.dispatch(60_000)
    expect(woken).toEqual(['a', 'b'])
  })

  it('are not held up by those of one that nobody waits for any more', () => {
    const { one, two } = createGates({ concurrency: 1, accountConcurrency: 1 })
    const slot = one.enter(0)
    const woken: string[] = []
    queue(one, 1, 'late', woken)
    queue(two, 100, 'live', woken)
    leave(slot, 260)
    expect(woken).toEqual(['live'])
  })

  it('are not held up by one that is full itself', () => {
    const { one, two } = createGates({ concurrency: 1, accountConcurrency: 2 })
    one.enter(0)
    const slot = two.enter(0)
    const woken: string[] = []
    queue(one, 1, 'one', woken)
    queue(two, 1, 'two', woken)
    leave(slot, 2)
    expect(woken).toEqual(['two'])
  })
})

describe('any sequence of requests', () => {
  type Step = 'arrive' | 'finish' | 'lose' | 'pass'
  const steps = fc.array(
    fc.record({
      step: fc.constantFrom<Step>('arrive', 'arrive', 'arrive', 'finish', 'finish', 'lose', 'pass'),
      pick: fc.nat(99),
    }),
    { maxLength: 200 },
  )

  it('keeps both limits, serves each script in order, and leaves no place empty while somebody waits', () => {
    fc.assert(
      fc.property(steps, sequence => {
        const model = new Model()
        for (const { step, pick } of sequence) {
          model[step](pick)
          model.check()
        }
        model.settle()
      }),
    )
  })
})

interface Running {
  readonly script: number
  readonly slot: Slot
  readonly startedAtMs: number
}

interface Waiting {
  readonly script: number
  readonly waiter: Waiter
  isWoken: boolean
}

/** Requests and their callers around three gates, as the gateway would have them. */
class Model {
  readonly #account = new AccountGate(LIMITS)
  readonly #gates = Array.from({ length: 3 }, () => new ScriptGate(this.#account))
  #nowMs = 0
  #running: Running[] = []
  #waiting: Waiting[] = []
  /** Whether a caller went away, so that places may be counted that nobody has. */
  #hasLost = false

  arrive(pick: number): void {
    const script = pick % 3
    const gate = this.#gates[script] as ScriptGate
    const slot = gate.enter(this.#nowMs)
    if (slot) {
      expect(
        this.#waiting.filter(waiting => waiting.script === script),
        'nobody is overtaken',
      ).toEqual([])
      this.#running.push({ script, slot, startedAtMs: this.#nowMs })
      return
    }
    const waiter = gate.wait(this.#nowMs, () => {
      for (const waiting of this.#waiting) if (waiting.waiter === waiter) waiting.isWoken = true
    })
    if (waiter) this.#waiting.push({ script, waiter, isWoken: false })
    this.#wake()
  }

  finish(pick: number): void {
    const [over] = this.#running.splice(pick % Math.max(1, this.#running.length), 1)
    if (over) leave(over.slot, this.#nowMs)
    this.#wake()
  }

  /** A caller goes away: what is under way or waits for it never runs again. */
  lose(pick: number): void {
    this.#hasLost = true
    if (pick % 2) this.#running.splice(pick % Math.max(1, this.#running.length), 1)
    else this.#waiting.splice(pick % Math.max(1, this.#waiting.length), 1)
  }

  pass(pick: number): void {
    this.#nowMs += pick
    for (const waiting of this.#waiting.filter(({ waiter }) => waiter.state !== 'over')) {
      if (waiting.waiter.untilMs <= this.#nowMs) this.#claim(waiting)
    }
    for (const waiting of this.#waiting.filter(({ waiter }) => waiter.state === 'over')) this.#claim(waiting)
    this.#wake()
  }

  check(): void {
    expect(this.#running.length).toBeLessThanOrEqual(LIMITS.accountConcurrency)
    for (const script of [0, 1, 2]) {
      const count = this.#running.filter(running => running.script === script).length
      expect(count).toBeLessThanOrEqual(LIMITS.concurrency)
      if (this.#hasLost || this.#running.length === LIMITS.accountConcurrency) continue
      const waits = this.#waiting.some(waiting => waiting.script === script)
      expect(waits && count < LIMITS.concurrency, 'a place is empty while somebody waits').toBe(false)
    }
  }

  /** Everything ends; two windows later all places are there again. */
  settle(): void {
    for (const { slot } of this.#running) leave(slot, this.#nowMs)
    this.#nowMs += 2 * LIMITS.windowMs
    const slots = this.#gates.map(gate => gate.enter(this.#nowMs))
    expect(slots).not.toContain(undefined)
    expect(this.#gates[0]?.enter(this.#nowMs)).toBeUndefined()
  }

  #wake(): void {
    for (;;) {
      const woken = this.#waiting.find(({ isWoken }) => isWoken)
      if (!woken) return
      const earlier = this.#waiting.filter(({ script }) => script === woken.script)
      expect(earlier[0], 'first come, first served').toBe(woken)
      this.#claim(woken)
    }
  }

  #claim(waiting: Waiting): void {
    const { script, waiter } = waiting
    this.#waiting.splice(this.#waiting.indexOf(waiting), 1)
    const slot = (this.#gates[script] as ScriptGate).claim(waiter, this.#nowMs)
    if (slot) this.#running.push({ script, slot, startedAtMs: this.#nowMs })
  }
}
