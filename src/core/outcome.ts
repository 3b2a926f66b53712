/** How an invocation of a user's function ended, spelt as workerd's own enum (src/workerd/io/outcome.capnp). */
export type Outcome =
  | 'ok'
  | 'exception'
  | 'exceededCpu'
  | 'exceededMemory'
  | 'canceled'
  | 'scriptNotFound'
  | 'loadShed'
  | 'unknown'

/** What a cron tick or another event without a response ended in. */
export interface EventResult {
  readonly outcome: Outcome
  /** The function said that a failure must not be retried. */
  readonly noRetry: boolean
  /** The exception's text, for `exception`. */
  readonly error?: string
}
