import { toMs } from './duration.ts'
import { failure, invalidId, refusal } from './failures.ts'
import { WORKFLOW_LIMITS } from './limits.ts'
import { isInstanceId, isReservedId } from './names.ts'
import type { NewInstance, Retention } from './types.ts'
import { encodeValue } from './value.ts'

/** A new instance, checked. */
export interface CheckedInstance extends Partial<Retention> {
  readonly id: string
  readonly params: Uint8Array
}

/**
 * Checks what an instance is to be made of, and gives it an id if it has none.
 *
 * @throws (body) for what is wrong, `Workflow instance has invalid id`, DataCloneError
 */
export function checkInstance(options: NewInstance | undefined): CheckedInstance {
  const given = requireObject(options === undefined ? {} : options)
  const id = 'id' in given && given.id !== undefined ? given.id : crypto.randomUUID()
  if (!isInstanceId(id)) throw failure('WorkflowError', 'Workflow instance has invalid id')
  return { id, params: encodePayload(given.params ?? {}, 'params'), ...checkRetention(given.retention) }
}

/** The instances of a batch, in either form in which it can be given. @throws as `checkInstance`, (body) */
export function readBatch(options: unknown): readonly (NewInstance | undefined)[] {
  if (Array.isArray(options)) {
    if (options.length === 0) {
      throw new Error('WorkflowError: batchCreate should have at least 1 instance')
    }
    if (options.length > WORKFLOW_LIMITS.batch) {
      throw new Error('WorkflowError: batchCreate only supports 100 instances at a time')
    }
    return options
  }
  if (typeof options !== 'object' || options === null) throw wrongBody('Provided argument is invalid')
  const { instances, ...same } = options as { instances?: unknown; count?: unknown }
  if ('count' in same) {
    const { count, ...each } = same
    if (!Number.isInteger(count) || (count as number) < 1) throw wrongBody('count must be a positive integer')
    if ((count as number) > WORKFLOW_LIMITS.batch) {
      throw wrongBody('batchCreate only supports 100 instances at a time')
    }
    return Array.from({ length: count as number }, () => each)
  }
  if (!Array.isArray(instances)) throw wrongBody('Provided argument is invalid')
  if (instances.length === 0 || instances.length > WORKFLOW_LIMITS.batch) {
    throw wrongBody('Batch size exceeds maximum allowed')
  }
  const isWrong = (id: unknown) => id !== undefined && (!isInstanceId(id) || isReservedId(id))
  if (instances.map(requireObject).some(({ id }) => isWrong(id))) throw invalidId()
  return instances
}

/** A payload as it is stored. @throws (body) if it is too large, DataCloneError */
export function encodePayload(payload: unknown, what: string): Uint8Array {
  const bytes = encodeValue(payload)
  if (bytes.byteLength <= WORKFLOW_LIMITS.valueBytes) return bytes
  throw wrongBody(
    `${what} of ${bytes.byteLength} bytes is too large; at most ${WORKFLOW_LIMITS.valueBytes} are allowed`,
  )
}

/** What a request said is wrong, in Cloudflare's manner. */
export function wrongBody(problem: string): Error {
  return refusal('body', problem)
}

function requireObject(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>
  }
  const kind = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value
  throw wrongBody(`Invalid input: expected object, received ${kind}`)
}

function checkRetention(retention: unknown): Partial<Retention> {
  const { successRetention, errorRetention } = (retention ?? {}) as Record<string, unknown>
  const successMs = checkDuration(successRetention)
  const errorMs = checkDuration(errorRetention)
  return { ...(successMs !== undefined && { successMs }), ...(errorMs !== undefined && { errorMs }) }
}

function checkDuration(value: unknown): number | undefined {
  if (value === undefined) return undefined
  const ms = toMs(value)
  if (!ms || ms > WORKFLOW_LIMITS.retentionMs) {
    throw wrongBody(
      "Duration must be a number or a string in format '{{number}} {{unit}}' where unit is second(s), minute(s), etc., and at most 30 days",
    )
  }
  return ms
}
