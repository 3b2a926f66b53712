import { toMs } from './duration.ts'

/** How a step's callback is called, defaults filled in. */
export interface StepConfig {
  readonly retries: {
    /** Tries after the first. */
    readonly limit: number
    /** Before the first retry; a function says it before each. */
    readonly delay: number | string | DelayFunction
    readonly backoff: 'constant' | 'linear' | 'exponential'
  }
  /** Of one try. */
  readonly timeout: number | string
  /** Its result is shown to nobody. */
  readonly sensitive?: 'output'
}

/** Says how long to wait, in milliseconds or words. It is in the function's isolate. */
export type DelayFunction = (input: { ctx: unknown; error: unknown }) => unknown

const DEFAULTS: StepConfig = {
  retries: { limit: 5, delay: 10_000, backoff: 'exponential' },
  timeout: '10 minutes',
}
const BACKOFFS: readonly unknown[] = ['constant', 'linear', 'exponential']

/**
 * A step's configuration; `undefined` for what is none: an unknown field is as wrong as a bad value.
 *
 * @see https://developers.cloudflare.com/workflows/build/sleeping-and-retrying/#retry-steps
 */
export function parseStepConfig(raw: unknown): StepConfig | undefined {
  if (raw === undefined) return DEFAULTS
  if (typeof raw !== 'object' || raw === null) return undefined
  const { retries, timeout = DEFAULTS.timeout, sensitive, ...others } = raw as Record<string, unknown>
  const parsed = parseRetries(retries)
  if (!parsed || Object.keys(others).length > 0) return undefined
  if (sensitive !== undefined && sensitive !== 'output') return undefined
  if (toMs(timeout) === undefined || timeout === 0) return undefined
  return {
    retries: parsed,
    timeout: timeout as number | string,
    ...(sensitive === 'output' && { sensitive }),
  }
}

function parseRetries(raw: unknown): StepConfig['retries'] | undefined {
  if (raw === undefined) return DEFAULTS.retries
  if (typeof raw !== 'object' || raw === null) return undefined
  const { limit, delay, backoff = DEFAULTS.retries.backoff, ...others } = raw as Record<string, unknown>
  const isValid =
    Object.keys(others).length === 0 &&
    Number.isInteger(limit) &&
    (limit as number) >= 0 &&
    (typeof delay === 'function' || toMs(delay) !== undefined) &&
    BACKOFFS.includes(backoff)
  return isValid ? ({ limit, delay, backoff } as StepConfig['retries']) : undefined
}

/** The configuration as callbacks see it: a function stays where it is. */
export function toShown({ retries: { limit, delay, backoff }, ...config }: StepConfig): unknown {
  const retries = { limit, ...(typeof delay !== 'function' && { delay }), backoff }
  return { retries, ...config }
}

/** How long to wait after a try, in milliseconds, if no function says it. @param attempt from 1 */
export function retryDelayMs({ delay, backoff }: StepConfig['retries'], attempt: number): number {
  const ms = toMs(delay) ?? 0
  switch (backoff) {
    case 'constant':
      return ms
    case 'linear':
      return ms * attempt
    case 'exponential':
      return ms * 2 ** (attempt - 1)
  }
}
