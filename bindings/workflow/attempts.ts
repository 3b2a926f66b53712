import { isAway } from '../../src/roles.ts'
import { toMs } from './duration.ts'
import { failure, isNonRetryable, toError, toInstanceError } from './failures.ts'
import { WORKFLOW_LIMITS } from './limits.ts'
import { retryDelayMs, type StepConfig, toShown } from './step-config.ts'
import type { StepKey, StepState, Steps } from './steps.ts'
import type { Attempt } from './types.ts'
import { dispose, encodeValue } from './value.ts'
import { delay } from './waits.ts'

/** A step's code, in the function's isolate. */
export type Callback = (ctx: unknown) => unknown

/** What came of an attempt: a result, a state to try again from, or the end of the instance. */
export type Tried = { readonly value: unknown } | { readonly again: StepState } | { readonly fatal: string }

/** The attempts of one step: each is noted on disk before it begins, and what came of it before anybody knows. */
export class Attempts {
  readonly #steps: Steps
  readonly #key: StepKey
  readonly #config: StepConfig
  readonly #callback: Callback

  constructor(steps: Steps, key: StepKey, config: StepConfig, callback: Callback) {
    this.#steps = steps
    this.#key = key
    this.#config = config
    this.#callback = callback
  }

  /**
   * Where to begin: anew, or where an earlier run ended. An attempt without an end has failed with it.
   *
   * @throws what the step has failed with, if that was its last
   */
  begin(known: StepState | undefined): StepState {
    if (!known) return begun(this.#config)
    const last = known.attempts?.at(-1)
    if (!last || last.endMs !== undefined) return known
    const now = Date.now()
    const error = failure('WorkflowInternalError', 'Attempt failed due to internal workflows error')
    const failed = { ...endAttempt(known, now, error), dueMs: now }
    if ((failed.tries ?? 0) <= this.#config.retries.limit) return failed
    const { name } = this.#key
    throw this.#giveUp(
      failed,
      failure('WorkflowInternalError', `Attempt ${failed.tries} of step "${name}" did not finish`),
    )
  }

  /**
   * One attempt. Does nothing more once `ended` says that its run has.
   *
   * @throws what the step has failed with, if it was the last
   */
  async try({ dueMs: _, ...before }: StepState, ended: AbortSignal): Promise<Tried | undefined> {
    const attempt = (before.tries ?? 0) + 1
    const attempts = [...(before.attempts ?? []), { startMs: Date.now() }]
    const state = { ...before, tries: attempt, attempts: attempts.slice(-WORKFLOW_LIMITS.attemptsKept) }
    this.#steps.put(this.#key, state)
    const { name, count } = this.#key
    const ctx = { step: { name, count }, attempt, config: toShown(this.#config) }
    const result = await this.#call(ctx)
    if (ended.aborted) return undefined
    const done = 'value' in result ? this.#succeed(state, result.value) : result
    if (!('error' in done)) return done
    const { error } = done
    const failed = endAttempt(state, Date.now(), error)
    if (isNonRetryable(error) || attempt > this.#config.retries.limit) throw this.#giveUp(failed, error)
    const delayMs = await this.#delayBefore(ctx, error).catch(reason => ({ reason }))
    if (ended.aborted) return undefined
    if (typeof delayMs !== 'number') throw this.#giveUp(failed, delayMs.reason)
    const again = { ...failed, dueMs: Date.now() + delayMs }
    this.#steps.put(this.#key, again)
    return { again }
  }

  /** Calls the code, for as long as it may take. */
  async #call(ctx: unknown): Promise<{ readonly value: unknown } | { readonly error: unknown }> {
    const timeoutMs = toMs(this.#config.timeout) ?? 0
    const late = delay(timeoutMs)
    const called = Promise.resolve(this.#callback(ctx))
    try {
      const isLate = late.promise.then(() => {
        throw failure('WorkflowTimeoutError', `Execution timed out after ${timeoutMs}ms`)
      })
      return { value: await Promise.race([called, isLate]) }
    } catch (error) {
      called.then(dispose, () => {})
      // Perhaps the whole run is lost: then it isn't the code's failure.
      if (isAway(error)) await delay(LOSS_MS).promise
      return { error }
    } finally {
      late.cancel()
    }
  }

  /** Writes a result to disk. */
  #succeed(state: StepState, value: unknown): Tried | { readonly error: unknown } {
    const { name, count } = this.#key
    try {
      const output = value === undefined ? undefined : encodeValue(value)
      if (output && output.byteLength > WORKFLOW_LIMITS.valueBytes) {
        const message = `Step ${name}-${count} output is too large. Maximum allowed size is 1MiB.`
        return { error: failure('WorkflowInternalError', message) }
      }
      const now = Date.now()
      this.#steps.put(this.#key, { ...endAttempt(state, now), endMs: now, success: true }, output)
      return { value }
    } catch (error) {
      if ((error as Error).name !== 'DataCloneError') throw error
      return {
        fatal: `The execution of the Workflow instance was terminated, as the step "${name}" returned a value which is not serialisable`,
      }
    } finally {
      dispose(value)
    }
  }

  #giveUp(state: StepState, reason: unknown): unknown {
    const error = toInstanceError(reason)
    this.#steps.put(this.#key, { ...state, endMs: Date.now(), success: false, error })
    return toError(error)
  }

  /** How long to wait before the next attempt, in milliseconds. */
  async #delayBefore(ctx: { readonly attempt: number }, error: unknown): Promise<number> {
    const { retries } = this.#config
    const { delay: ask } = retries
    if (typeof ask !== 'function') return retryDelayMs(retries, ctx.attempt)
    const fail = (message: string) => {
      const { name, count } = this.#key
      return failure('NonRetryableDelayError', `The delay function for step "${name}-${count}" ${message}`)
    }
    const late = delay(WORKFLOW_LIMITS.delayFunctionMs)
    const asked = (async () => ({ said: await ask({ ctx, error }) }))()
    const answer = await Promise.race([
      asked.catch(reason => ({ reason: String((reason as Error)?.message) })),
      late.promise.then(() => undefined),
    ])
    late.cancel()
    if (!answer) throw fail('did not return within 5 seconds')
    if ('reason' in answer) throw fail(`threw an error: ${answer.reason}`)
    const ms = toMs(answer.said)
    if (ms !== undefined) return ms
    throw fail(
      'returned an invalid delay value (expected a number of ms or a duration string like "30 seconds")',
    )
  }
}

/** How long a lost edge takes to show, after the first call that failed because of it. */
const LOSS_MS = 1000

function begun(config: StepConfig): StepState {
  const { delay: before } = config.retries
  const retries = { ...config.retries, delay: typeof before === 'function' ? '[dynamic]' : before }
  return {
    startMs: Date.now(),
    config: { ...config, retries },
    ...(config.sensitive && { isSensitive: true }),
  }
}

/** The state with its last attempt ended. */
function endAttempt(state: StepState, endMs: number, error?: unknown): StepState {
  const attempts = [...(state.attempts ?? [])]
  const last = attempts.pop() as Attempt
  const ended = { ...last, endMs, ...(error !== undefined && { error: toInstanceError(error) }) }
  return { ...state, attempts: [...attempts, ended] }
}
