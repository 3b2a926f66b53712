import { Attempts, type Callback } from './attempts.ts'
import { toMs } from './duration.ts'
import { fatal, toError } from './failures.ts'
import type { Instances } from './instances.ts'
import { WORKFLOW_LIMITS } from './limits.ts'
import { isEventType } from './names.ts'
import { Step } from './step.ts'
import { parseStepConfig } from './step-config.ts'
import type { StepKey, StepState, Steps } from './steps.ts'
import type { InstanceError } from './types.ts'
import { encodeValue } from './value.ts'
import { delay, Waits } from './waits.ts'

/** What a run needs of its workflow. */
export interface RunHost {
  readonly storage: DurableObjectStorage
  readonly instances: Instances
  readonly stepLimit: number
  /** Called when the run begins or ends to compute or to wait. */
  settled(run: Run): void
  /** When its next step may begin, in milliseconds from now; takes that place. */
  takeTurn(): number
  /** Ends the instance, for a reason that its code must not handle. */
  fail(run: Run, error: InstanceError): void
}

/**
 * One run of an instance's `run()`, in memory: it takes the calls of its steps.
 *
 * A step's result is on disk before the code has it. Once the run is ended, calls are never answered: an error would
 * be caught by the code, and taken for the step's.
 */
export class Run {
  readonly seq: number
  readonly step: Step
  /** What the edge that does it names it by. */
  readonly token = crypto.randomUUID()
  readonly #host: RunHost
  readonly #steps: Steps
  readonly #counts = new Map<string, number>()
  readonly #waits = new Waits()
  readonly #ended = new AbortController()
  readonly #cancelled = new AbortController()
  /** Attempts of steps that are under way. */
  #busy = 0
  #stepsTaken = 0
  #gate: PromiseWithResolvers<void> | undefined
  #hasProgressed = false

  constructor(seq: number, steps: Steps, host: RunHost) {
    this.seq = seq
    this.#steps = steps
    this.#host = host
    this.step = new Step({
      do: (name, ...rest) => this.#do(name, rest),
      sleep: (name, duration) => this.#sleep(name, now => sleepEnd(duration, now)),
      sleepUntil: (name, timestamp) => this.#sleep(name, now => wakeTime(timestamp, now)),
      waitForEvent: (name, options) => this.#waitForEvent(name, options),
    })
  }

  /** Aborted when what the edge does must end. */
  get cancelled(): AbortSignal {
    return this.#cancelled.signal
  }

  /** Whether an attempt of a step is under way. */
  get isBusy(): boolean {
    return this.#busy > 0
  }

  /** Whether it only waits. */
  get isWaiting(): boolean {
    return this.#busy === 0 && this.#waits.count > 0
  }

  /** Whether an attempt of a step has come to an end in it. */
  get hasProgressed(): boolean {
    return this.#hasProgressed
  }

  /** When the first wait is over at the latest, in milliseconds since the epoch. */
  get nextDueMs(): number {
    return this.#waits.nextDueMs
  }

  /** The types of events that end a wait. */
  get awaitedTypes(): string[] {
    return this.#waits.eventTypes
  }

  /** Ends it: nothing of it is done any more. */
  end(): void {
    this.close()
    this.#cancelled.abort()
  }

  /** The same, while the edge comes to its end by itself. */
  close(): void {
    this.#ended.abort()
    this.#waits.clear()
  }

  /** Lets no further step begin, until `resume`. */
  hold(): void {
    this.#gate ??= Promise.withResolvers()
  }

  resume(): void {
    this.#gate?.resolve()
    this.#gate = undefined
  }

  /** Tells the waits for events of a type to look; the first to come has it. */
  notify(type: string): void {
    this.#waits.notify(type)
  }

  async #do(name: unknown, rest: readonly unknown[]): Promise<unknown> {
    const [config, callback, rollback] = typeof rest[0] === 'function' ? [undefined, ...rest] : rest
    if (typeof callback !== 'function') throw fatal(`Step "${name}" requires a callback function`)
    const parsed = parseStepConfig(config)
    if (!parsed) {
      throw fatal(
        `Step config for "${name}" is in a invalid format. See https://developers.cloudflare.com/workflows/build/sleeping-and-retrying/`,
      )
    }
    if (rollback !== undefined) {
      throw fatal(
        `Step "${name}" has a rollback, which this platform does not support. Undo in a catch block.`,
      )
    }
    await this.#beginStep()
    const { stepLimit } = this.#host
    if (++this.#stepsTaken > stepLimit) {
      throw fatal(
        `The limit of ${stepLimit} steps has been reached. This limit can be changed in your worker configuration.`,
      )
    }
    const key = this.#key('do', name)
    const known = this.#steps.find(key)
    if (known?.success) return this.#steps.output(key)
    if (known?.error && known.success === false) throw toError(known.error)
    return this.#try(new Attempts(this.#steps, key, parsed, callback as Callback), known)
  }

  async #try(attempts: Attempts, known: StepState | undefined): Promise<unknown> {
    let state = attempts.begin(known)
    for (;;) {
      if (state.dueMs !== undefined && state.dueMs > Date.now()) await this.#wait(state.dueMs)
      await this.#enter()
      const tried = await this.#busily(() => attempts.try(state, this.#ended.signal))
      if (tried) this.#hasProgressed = true
      if (tried && 'value' in tried) return tried.value
      if (tried && 'again' in tried) state = tried.again
      else if (tried) this.#host.fail(this, { name: 'WorkflowFatalError', message: tried.fatal })
      await this.#unlessEnded()
    }
  }

  /** What is done meanwhile is on disk before the run can be ended for a pause. */
  async #busily<T>(work: () => Promise<T>): Promise<T> {
    this.#busy++
    this.#host.settled(this)
    try {
      return await work()
    } finally {
      this.#busy--
      await this.#unlessEnded()
      this.#host.settled(this)
      await this.#unlessEnded()
    }
  }

  async #sleep(name: unknown, endOf: (nowMs: number) => number): Promise<void> {
    await this.#beginStep()
    const key = this.#key('sleep', name)
    const known = this.#steps.find(key)
    if (known?.success) return
    const state = known ?? { startMs: Date.now(), dueMs: endOf(Date.now()) }
    if (!known) this.#steps.put(key, state)
    await this.#wait(state.dueMs as number)
    await this.#enter()
    this.#steps.put(key, { ...state, endMs: Date.now(), success: true })
  }

  async #waitForEvent(name: unknown, options: unknown): Promise<unknown> {
    const { type, timeout = '24 hours' } = (options ?? {}) as Record<string, unknown>
    if (!isEventType(type)) throw fatal(`Event type of the step "${name}" is invalid`)
    const timeoutMs = requireMs(timeout)
    await this.#beginStep()
    const key = this.#key('waitForEvent', name)
    const known = this.#steps.find(key)
    if (known?.success) return this.#steps.output(key)
    if (known?.error) throw toError(known.error)
    const startMs = Date.now()
    const state = known ?? { startMs, dueMs: startMs + timeoutMs, eventType: type }
    if (!known) this.#steps.put(key, state)
    for (;;) {
      const event = this.#takeEvent(key, state, type)
      if (event) return event
      if ((await this.#wait(state.dueMs as number, type)) === 'due') break
      await this.#enter()
    }
    await this.#enter()
    const error = { name: 'WorkflowTimeoutError', message: `Execution timed out after ${timeoutMs}ms` }
    this.#steps.put(key, { ...state, endMs: Date.now(), success: false, error })
    throw toError(error)
  }

  /** Takes an event and writes it down as the step's result, in one transaction: it is never lost between. */
  #takeEvent(key: StepKey, state: StepState, type: string): unknown {
    return this.#host.storage.transactionSync(() => {
      const event = this.#host.instances.takeEvent(this.seq, type)
      if (event) this.#steps.put(key, { ...state, endMs: Date.now(), success: true }, encodeValue(event))
      return event
    })
  }

  #key(type: StepKey['type'], name: unknown): StepKey {
    if (
      typeof name !== 'string' ||
      name.length > WORKFLOW_LIMITS.stepNameChars ||
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
      /[\x00-\x1f]/.test(name)
    ) {
      throw fatal(`Step name "${name}" exceeds max length (256 chars) or invalid characters found`)
    }
    const known = `${type}:${name}`
    const count = (this.#counts.get(known) ?? 0) + 1
    this.#counts.set(known, count)
    return { type, name, count }
  }

  async #wait(dueMs: number, eventType?: string): Promise<'due' | 'event'> {
    const wait = this.#waits.begin(dueMs, eventType)
    this.#host.settled(this)
    const why = await wait
    await this.#unlessEnded()
    this.#host.settled(this)
    await this.#unlessEnded()
    return why
  }

  async #beginStep(): Promise<void> {
    const turnMs = this.#host.takeTurn()
    if (turnMs > 0) await delay(turnMs).promise
    await this.#enter()
  }

  /** Where each step begins and goes on: not once the run has ended, and not while it is held. */
  async #enter(): Promise<void> {
    while (this.#gate) await this.#gate.promise
    await this.#unlessEnded()
  }

  async #unlessEnded(): Promise<void> {
    if (this.#ended.signal.aborted) await NEVER
  }
}

const NEVER = new Promise<never>(() => {})

function sleepEnd(duration: unknown, nowMs: number): number {
  return requireFuture(nowMs + (typeof duration === 'number' ? duration : requireMs(duration)), nowMs)
}

function wakeTime(timestamp: unknown, nowMs: number): number {
  return requireFuture(Number(timestamp instanceof Date ? timestamp : new Date(timestamp as number)), nowMs)
}

function requireMs(duration: unknown): number {
  const ms = toMs(duration)
  if (ms === undefined) throw new TypeError(`Invalid duration "${duration}"`)
  return ms
}

function requireFuture(atMs: number, nowMs: number): number {
  if (atMs >= nowMs) return atMs
  throw new Error(
    Number.isNaN(atMs)
      ? 'Not a time to sleep until'
      : "You can't sleep until a time in the past, time-traveler",
  )
}
