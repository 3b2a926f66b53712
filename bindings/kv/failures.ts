import type { KvProblem } from './validate.ts'

/** Throws a problem as KV's client does: `KV <operation> failed: <status> <text>`, or a TypeError for bad keys. */
export function failOn(problem: KvProblem | undefined, operation: string): void {
  if (problem) throw toKvError(problem, operation)
}

/** The same error as a value. A batch has its keys checked by KV's server, so there it is never a TypeError. */
export function toKvError({ reason, status, text }: KvProblem, operation: string): Error {
  if (operation !== 'GET_BULK') {
    if (reason === 'key-empty') return new TypeError('Key name cannot be empty.')
    if (reason === 'key-dots') {
      return new TypeError(`${/"\.+"/.exec(text)?.[0]} is not allowed as a key name.`)
    }
  }
  return kvFailure(operation, status, text)
}

/** A failure in the words of KV's client. */
export function kvFailure(operation: string, status: number, text: string): Error {
  return new Error(`KV ${operation} failed: ${status} ${text}`)
}
