import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import {
  AccountGate,
  type AdmissionLimits,
  ASK_EVERY_MS,
  countOut,
  OFFER_MS,
  type Place,
  ScriptGate,
  type Waiter,
} from '../../src/core/admission.ts'

const LIMITS: AdmissionLimits = {
  concurrency: 2,
  accountConcurrency: 3,
  queueLength: 3,
  queueMs: 250,
}

function createGates(limits: Partial<AdmissionLimits> = {}): {
  account: AccountGate
  one: ScriptGate
  two: ScriptGate
} {
  const account = new AccountGate({ ...LIMITS, ...limits })
  return { account, one: new ScriptGate(account), two: new ScriptGate(account) }
}

function leave(place: Place | undefined, nowMs: number): void {
  if (!place) throw new Error('There is no place to give back.')
  countOut(place)
  const { account } = place.gate
  if (account.isContended) account.dispatch(nowMs)
}

/** Asks who is still there, and answers for those that are. */
function ask(account: AccountGate, nowMs: number, present: readonly (Place | undefined)[] = []): void {
  account.ask(nowMs)
  for (const place of present) if (place) place.askedAtMs = undefined
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
    const place = one.enter(0)
    queue(one, 1)
    leave(place, 2)
    expect(one.enter(2)).toBeUndefined()
  })

  it.each(['script', 'account'] as const)(
    'takes back places of a full %s whose holders answer no more',
    by => {
      const { account, one, two } = createGates({
        [by === 'script' ? 'concurrency' : 'accountConcurrency']: 2,
      })
      const [present] = [one.enter(0), one.enter(0)]
      ask(account, 10, [present])
      expect(one.enter(10 + OFFER_MS - 1)).toBeUndefined()
      const next = by === 'script' ? one : two
      expect(next.enter(10 + OFFER_MS)).toBeDefined()
      expect(next.enter(10 + OFFER_MS), 'only one of them was gone').toBeUndefined()
    },
  )

  it('asks no more often than it may, and again after that', () => {
    const { account, one } = createGates()
    const [, gone] = [one.enter(0), one.enter(0)]
    ask(account, 10, [gone])
    expect(one.enter(10 + OFFER_MS), 'the first is gone').toBeDefined()
    account.ask(10 + ASK_EVERY_MS - 1)
    expect(one.enter(9 + ASK_EVERY_MS + OFFER_MS)).toBeUndefined()
    account.ask(10 + ASK_EVERY_MS)
    expect(one.enter(10 + ASK_EVERY_MS + OFFER_MS)).toBeDefined()
  })

  it('takes the end of something taken back without counting below what is under way', () => {
    const { account, one } = createGates({ concurrency: 1, accountConcurrency: 1 })
    const silent = one.enter(0)
    ask(account, 0)
    expect(one.enter(OFFER_MS)).toBeDefined()
    leave(silent, OFFER_MS)
    expect(one.enter(OFFER_MS)).toBeUndefined()
  })

  it('goes on when the clock is set back', () => {
    const { one } = createGates({ concurrency: 1 })
    leave(one.enter(1_000_000), 1_000_000)
    expect(one.enter(1000)).toBeDefined()
    expect(one.enter(1000)).toBeUndefined()
  })

  it('asks when the clock was set back', () => {
    const { account, one } = createGates({ concurrency: 1 })
    one.enter(1_000_000)
    account.ask(1_000_000)
    account.ask(1000)
    expect(one.enter(1000 + OFFER_MS)).toBeDefined()
  })
})

describe('Place.hold()', () => {
  it('gives what it waits for, and answers meanwhile', async () => {
    const { account, one } = createGates({ concurrency: 1 })
    const place = one.enter(0) as Place
    const { promise, resolve } = Promise.withResolvers<string>()
    const held = place.hold(promise)
    for (const nowMs of [0, ASK_EVERY_MS]) {
      account.ask(nowMs)
      expect(place.askedAtMs).toBe(nowMs)
      await vi.waitFor(() => expect(place.askedAtMs).toBeUndefined())
      expect(one.enter(nowMs + OFFER_MS), 'its place is kept').toBeUndefined()
    }
    resolve('done')
    expect(await held).toBe('done')
  })

  it('throws what is thrown, or what it is told to fail with', async () => {
    const { one } = createGates({ concurrency: 3 })
    await expect(one.enter(0)?.hold(Promise.reject(new Error('its own')))).rejects.toThrow('its own')
    const place = one.enter(0) as Place
    const held = place.hold(new Promise(() => {}))
    place.ask(0)
    await vi.waitFor(() => expect(place.askedAtMs).toBeUndefined())
    place.fail(new Error('late'))
    await expect(held).rejects.toThrow('late')

    const asked = one.enter(0) as Place
    const failed = asked.hold(new Promise(() => {}))
    asked.ask(0)
    asked.fail(new Error('late before it answered'))
    await expect(failed).rejects.toThrow('late before it answered')
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
    const place = one.enter(0)
    const woken: string[] = []
    const first = queue(one, 1, 'first', woken)
    const second = queue(one, 2, 'second', woken)
    leave(place, 10)
    expect(woken).toEqual(['first'])
    leave(one.claim(first, 11), 12)
    expect(woken).toEqual(['first', 'second'])
    expect(one.claim(second, 13)).toBeDefined()
  })

  it('gives up a place that was not taken: its request has lost its caller', () => {
    const { one } = createGates({ concurrency: 1 })
    const place = one.enter(0)
    const woken: string[] = []
    queue(one, 1, 'gone', woken)
    const next = queue(one, 1, 'next', woken)
    leave(place, 10)
    one.enter(10 + OFFER_MS - 1)
    expect(woken).toEqual(['gone'])
    one.enter(10 + OFFER_MS)
    expect(woken).toEqual(['gone', 'next'])
    expect(one.claim(next, 10 + OFFER_MS)).toBeDefined()
    expect(one.enter(11 + OFFER_MS), 'only one place').toBeUndefined()
  })

  it('gives it up to a newcomer, too', () => {
    const { one } = createGates({ concurrency: 1 })
    const place = one.enter(0)
    queue(one, 1)
    leave(place, 10)
    expect(one.enter(10 + OFFER_MS - 1)).toBeUndefined()
    expect(one.enter(10 + OFFER_MS)).toBeDefined()
  })

  it('lets one that was late for its offer have a place that is free', () => {
    const { one } = createGates({ concurrency: 1 })
    const place = one.enter(0)
    const late = queue(one, 1)
    leave(place, 10)
    expect(one.claim(late, 10 + OFFER_MS + 100)).toBeDefined()
    expect(one.enter(10 + OFFER_MS + 100)).toBeUndefined()
  })

  it('gives its first a place at the very end of its time', () => {
    const { one } = createGates({ concurrency: 1 })
    const place = one.enter(0)
    queue(one, 0, 'gone')
    const patient = queue(one, 5)
    queue(one, 6, 'behind')
    leave(place, 10)
    expect(one.claim(patient, 255)).toBeDefined()
  })

  it('ends empty-handed when the time is over', () => {
    const { one } = createGates({ concurrency: 1 })
    const place = one.enter(0)
    const waiter = queue(one, 0)
    expect(one.claim(waiter, 250)).toBeUndefined()
    leave(place, 250)
    expect(one.enter(250), 'nobody waits any more').toBeDefined()
  })
})

describe('the scripts of an account', () => {
  it('get freed places in turn', () => {
    const { one, two, account } = createGates({ concurrency: 9, accountConcurrency: 3, queueLength: 9 })
    const places = [one.enter(0), one.enter(0), one.enter(0)]
    const three = new ScriptGate(account)
    const woken: string[] = []
    const waiters = [one, one, one, two, two, three].map((gate, i) => queue(gate, i, `${i}`, woken))
    for (const place of places) leave(place, 10)
    expect(woken).toEqual(['0', '3', '5'])
    for (const i of [0, 3, 5]) leave((waiters[i] as Waiter).gate.claim(waiters[i] as Waiter, 10), 10)
    expect(woken).toEqual(['0', '3', '5', '1', '4', '2'])
  })

  it('get all places that become free at once', () => {
    const { one, two, account } = createGates({ concurrency: 4, accountConcurrency: 6, queueLength: 9 })
    const lost = new ScriptGate(account)
    for (let i = 0; i < 2; i++) lost.enter(0)
    const present = Array.from({ length: 4 }, () => one.enter(0))
    const woken: string[] = []
    queue(one, 10, 'full', woken)
    for (const name of ['a', 'b']) queue(two, 10, name, woken)
    ask(account, 10, present)
    account.dispatch(10 + OFFER_MS - 1)
    expect(woken).toEqual([])
    account.dispatch(10 + OFFER_MS)
    expect(woken).toEqual(['a', 'b'])
  })

  it('are not held up by those of one that nobody waits for any more', () => {
    const { one, two } = createGates({ concurrency: 1, accountConcurrency: 1 })
    const place = one.enter(0)
    const woken: string[] = []
    queue(one, 1, 'late', woken)
    queue(two, 100, 'live', woken)
    leave(place, 260)
    expect(woken).toEqual(['live'])
  })

  it('are not held up by one that is full itself', () => {
    const { one, two } = createGates({ concurrency: 1, accountConcurrency: 2 })
    one.enter(0)
    const place = two.enter(0)
    const woken: string[] = []
    queue(one, 1, 'one', woken)
    queue(two, 1, 'two', woken)
    leave(place, 2)
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
  readonly place: Place
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
    const place = gate.enter(this.#nowMs)
    if (place) {
      expect(
        this.#waiting.filter(waiting => waiting.script === script),
        'nobody is overtaken',
      ).toEqual([])
      this.#running.push({ script, place })
      return
    }
    this.#ask()
    const waiter = gate.wait(this.#nowMs, () => {
      for (const waiting of this.#waiting) if (waiting.waiter === waiter) waiting.isWoken = true
    })
    if (waiter) this.#waiting.push({ script, waiter, isWoken: false })
    this.#wake()
  }

  finish(pick: number): void {
    const [over] = this.#running.splice(pick % Math.max(1, this.#running.length), 1)
    if (over) leave(over.place, this.#nowMs)
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

  /** Everything ends; all places are there again as soon as those that were lost had their time to answer. */
  settle(): void {
    for (const { place } of this.#running.splice(0)) leave(place, this.#nowMs)
    this.#nowMs += ASK_EVERY_MS
    this.#ask()
    this.#nowMs += Math.max(OFFER_MS, LIMITS.queueMs)
    this.#account.dispatch(this.#nowMs)
    const places = this.#gates.map(gate => gate.enter(this.#nowMs))
    expect(places).not.toContain(undefined)
    expect(this.#gates[0]?.enter(this.#nowMs)).toBeUndefined()
  }

  /** As whoever finds no place asks; those whose callers are there answer. */
  #ask(): void {
    ask(
      this.#account,
      this.#nowMs,
      this.#running.map(({ place }) => place),
    )
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
    const place = (this.#gates[script] as ScriptGate).claim(waiter, this.#nowMs)
    if (place) this.#running.push({ script, place })
  }
}
