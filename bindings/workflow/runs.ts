import type { RunLink, RunOutcome } from '../../src/core/invoker.ts'
import { holdMs } from '../queue/plan.ts'
import type { WorkflowConfig } from './config.ts'
import { failure, toInstanceError } from './failures.ts'
import type { Instance, Instances } from './instances.ts'
import { WORKFLOW_LIMITS } from './limits.ts'
import { takeTurn } from './pace.ts'
import { Run, type RunHost } from './run.ts'
import { Steps } from './steps.ts'
import type { InstanceError } from './types.ts'
import { dispose, encodeValue } from './value.ts'
import { delay } from './waits.ts'

/** What runs need of their workflow's object. */
export interface RunsHost {
  readonly accountId: string
  readonly storage: DurableObjectStorage
  readonly config: WorkflowConfig
  readonly instances: Instances
  /** Has an edge do a run. @returns why it is over without an outcome, if nobody ended it */
  drive(run: Run, instance: Instance): Promise<string | undefined>
  /** Called when there may be something to start. */
  changed(): void
}

/** The instances of a workflow that are in memory: what starts, rests and ends, and what is written down of it. */
export class Runs {
  readonly #host: RunsHost
  /** By the number of their instance. */
  readonly #runs = new Map<number, Run>()
  /** Instances whose run was lost or could not begin: how often in a row, and until when they wait. */
  readonly #holds = new Map<number, Hold>()
  /** Of runs that only wait. */
  readonly #restTimers = new Map<Run, ReturnType<typeof setTimeout>>()

  constructor(host: RunsHost) {
    this.#host = host
  }

  get count(): number {
    return this.#runs.size
  }

  get(seq: number): Run | undefined {
    return this.#runs.get(seq)
  }

  /** Starts what may start. @returns a promise for each until it is over, which never rejects */
  start(nowMs: number): Promise<void>[] {
    const { concurrency = WORKFLOW_LIMITS.runs } = this.#host.config.current ?? {}
    const room = Math.min(concurrency, WORKFLOW_LIMITS.runs) - this.#runs.size
    if (room <= 0) return []
    return this.#host.instances
      .due(WORKFLOW_LIMITS.runs + this.#holds.size)
      .filter(({ seq }) => !this.#runs.has(seq) && (this.#holds.get(seq)?.untilMs ?? 0) <= nowMs)
      .slice(0, room)
      .map(instance => this.#start(instance, nowMs))
  }

  /** When an instance that waits to be tried again may be. */
  nextStart(nowMs: number): number | undefined {
    const times = [...this.#holds.values()].map(({ untilMs }) => untilMs).filter(untilMs => untilMs > nowMs)
    return times.length > 0 ? Math.min(...times) : undefined
  }

  /** Why an instance is queued although it could run, and until when. */
  holdOf(seq: number): Hold | undefined {
    return this.#holds.get(seq)
  }

  /** Ends the pauses that follow runs that could not be had. */
  release(): void {
    this.#holds.clear()
  }

  /** What ties a run to its instance, for the edge that was asked for it. */
  attach(token: string): RunLink {
    const run = [...this.#runs.values()].find(known => known.token === token)
    const instance = run && this.#host.instances.bySeq(run.seq)
    if (!run || !instance) throw new Error('There is no such run any more.')
    const { id: instanceId, seq, createdMs, schedule } = instance
    const event = {
      payload: this.#host.instances.params(seq),
      timestamp: new Date(createdMs),
      instanceId,
      workflowName: this.#host.config.require().name,
      ...(schedule && { schedule }),
    }
    const finish = async (outcome: RunOutcome) => {
      run.close()
      this.#finish(run, outcome)
    }
    return { event, step: run.step, finish }
  }

  /** Takes what is in memory of an instance out of it. */
  end(seq: number): void {
    this.#forget(seq)?.end()
  }

  endAll(): void {
    for (const seq of [...this.#runs.keys(), ...this.#holds.keys()]) this.end(seq)
  }

  #forget(seq: number): Run | undefined {
    this.#holds.delete(seq)
    const run = this.#runs.get(seq)
    if (!run) return undefined
    this.#runs.delete(seq)
    this.#stopTimer(run)
    return run
  }

  async #start(instance: Instance, nowMs: number): Promise<void> {
    const { accountId, storage, instances, config } = this.#host
    const { seq, startedMs } = instance
    const host: RunHost = {
      storage,
      instances,
      stepLimit: config.current?.stepLimit ?? WORKFLOW_LIMITS.defaultSteps,
      settled: run => this.#settled(run),
      takeTurn: () => takeTurn(accountId, 'step', Date.now()),
      fail: (run, error) => {
        run.end()
        this.#finish(run, { outcome: 'errored', error })
      },
    }
    const run = new Run(seq, new Steps(storage.sql, seq), host)
    this.#runs.set(seq, run)
    instances.change(seq, { status: 'running', ...(startedMs === null && { startedMs: nowMs }) }, nowMs)
    const turnMs = takeTurn(accountId, 'run', nowMs)
    if (turnMs > 0) await delay(turnMs).promise
    if (this.#runs.get(seq) !== run) return
    const error = await this.#host.drive(run, instance)
    run.close()
    try {
      this.#finish(run, { outcome: 'skipped', error: error ?? 'the run has no outcome' })
    } catch (reason) {
      console.error('workflow: the end of a run could not be kept; it will be run again:', reason)
      this.end(seq)
    }
  }

  /** Writes down what came of a run, if it hasn't ended before. */
  #finish(run: Run, outcome: RunOutcome): void {
    const { seq } = run
    if (this.#runs.get(seq) !== run) return
    const { instances } = this.#host
    const now = Date.now()
    const isHeld = instances.bySeq(seq)?.status === 'waitingForPause'
    const times = run.hasProgressed ? 0 : (this.#holds.get(seq)?.times ?? 0)
    this.#forget(seq)
    // A pause that was asked for before comes first: the code runs again when it is resumed, and ends then.
    if (isHeld) instances.change(seq, { status: 'paused', pausedMs: now }, now)
    else if (outcome.outcome === 'complete') this.#complete(seq, outcome.output)
    else if (outcome.outcome === 'errored') this.#fail(seq, outcome.error)
    else {
      this.#holds.set(seq, { error: outcome.error, times: times + 1, untilMs: now + holdMs(times) })
      instances.change(seq, { status: 'queued' }, now)
    }
    this.#host.changed()
  }

  #complete(seq: number, value: unknown): void {
    try {
      const output = value === undefined ? null : encodeValue(value)
      if (output && output.byteLength > WORKFLOW_LIMITS.valueBytes) throw failure(...TOO_LARGE)
      this.#host.instances.change(seq, { status: 'complete', output }, Date.now())
    } catch (error) {
      const { name, message } = toInstanceError(error)
      this.#fail(seq, name === 'DataCloneError' ? NOT_SERIALISABLE : { name, message })
    } finally {
      dispose(value)
    }
  }

  #fail(seq: number, error: InstanceError): void {
    this.#host.instances.change(seq, { status: 'errored', error }, Date.now())
  }

  /** The run has begun or ended to compute or to wait. */
  #settled(run: Run): void {
    const { seq } = run
    const { instances } = this.#host
    const status = instances.bySeq(seq)?.status
    const now = Date.now()
    this.#stopTimer(run)
    if (status === 'waitingForPause' && !run.isBusy) {
      this.end(seq)
      instances.change(seq, { status: 'paused', pausedMs: now }, now)
    } else if (run.isWaiting) {
      if (status === 'running') instances.change(seq, { status: 'waiting' }, now)
      this.#restTimers.set(
        run,
        setTimeout(() => this.#rest(run), REST_AFTER_MS),
      )
    } else if (status === 'waiting') instances.change(seq, { status: 'running' }, now)
  }

  /** Ends a run that has nothing to do for long: it begins again when its first wait is over. */
  #rest(run: Run): void {
    this.#restTimers.delete(run)
    const now = Date.now()
    if (this.#runs.get(run.seq) !== run || !run.isWaiting || run.nextDueMs - now < REST_MS) return
    const { nextDueMs: wakeMs, awaitedTypes: wakeTypes } = run
    this.end(run.seq)
    this.#host.instances.change(run.seq, { status: 'waiting', wakeMs, wakeTypes }, now)
    this.#host.changed()
  }

  #stopTimer(run: Run): void {
    const timer = this.#restTimers.get(run)
    if (timer !== undefined) clearTimeout(timer)
    this.#restTimers.delete(run)
  }
}

/** The pause after a run that was lost, or could not begin. */
interface Hold {
  readonly error: string
  /** How many in a row. */
  readonly times: number
  readonly untilMs: number
}

/** A run that only waits, for longer than `REST_MS` still, is ended after that time. */
const REST_AFTER_MS = 2000
const REST_MS = 10_000

const TOO_LARGE = [
  'WorkflowFatalError',
  'The output of the Workflow instance is too large. Maximum allowed size is 1MiB.',
] as const

const NOT_SERIALISABLE: InstanceError = {
  name: 'WorkflowFatalError',
  message:
    'The execution of the Workflow instance was terminated, as run() returned a value which is not serialisable',
}
