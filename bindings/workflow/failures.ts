import type { InstanceError } from './types.ts'

/** Makes an error of a class that isn't there: between isolates its name goes before the message. */
export function failure(name: string, message: string): Error {
  const error = new Error(message)
  error.name = name
  return error
}

/** A refusal of the binding, with Cloudflare's code, which the message begins with. */
export function refusal(code: string, message: string): Error {
  return failure('WorkflowError', `(${code}) ${message}`)
}

/** What a step throws when its call is wrong, so that another try would be too. */
export function fatal(message: string): Error {
  return failure('WorkflowFatalError', message)
}

/** There is no such instance; programs compare the message. */
export function instanceNotFound(): Error {
  return new Error('instance.not_found')
}

/** No instance can have the id. */
export function invalidId(): Error {
  return refusal('instance.invalid_id', 'Instance ID is invalid')
}

/** What of an error is kept. Errors of users' classes come with the class in the message. */
export function toInstanceError(error: unknown): InstanceError {
  const { name = 'Error', message = String(error) } = (error ?? {}) as Partial<InstanceError>
  const own = NON_RETRYABLE.exec(message)
  return own ? { name: 'NonRetryableError', message: message.slice(own[0].length) } : { name, message }
}

/** Whether the step that threw it must not be tried again. */
export function isNonRetryable(error: unknown): boolean {
  return toInstanceError(error).name === 'NonRetryableError'
}

/** The error that was kept, to be thrown again. */
export function toError({ name, message }: InstanceError): Error {
  return failure(name, message)
}

const NON_RETRYABLE = /^NonRetryableError(?:: |$)/
