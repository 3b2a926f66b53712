import { describe } from '../../../bindings/fields.ts'
import { SkerryError } from '../../../src/core/errors.ts'

/** A body, or an object in it. */
export type Fields = Readonly<Record<string, unknown>>

/** What is wrong with a request about workflows. */
export function invalidWorkflow(problem: string): SkerryError {
  return new SkerryError('ERR_WORKFLOW_INVALID', problem)
}

/** An object with no other fields than these; what isn't given has none. @throws ERR_WORKFLOW_INVALID */
export function toFields(input: unknown, place: string, names: readonly string[]): Fields {
  if (!isGiven(input)) return {}
  if (typeof input !== 'object' || Array.isArray(input)) {
    throw invalidWorkflow(`\`${place}\` is ${describe(input)}. It must be an object.`)
  }
  refuseOthers(input as Fields, `${place}.`, names)
  return input as Fields
}

/** Refuses fields that nothing is known of, by name. @throws ERR_WORKFLOW_INVALID */
export function refuseOthers(fields: Fields, place: string, names: readonly string[]): void {
  const other = Object.keys(fields).find(name => !names.includes(name))
  if (other === undefined) return
  throw invalidWorkflow(`\`${place}${other.slice(0, 40)}\` is unknown. Known are ${names.join(', ')}.`)
}

/** Whether a field has a value: `null` is none. */
export function isGiven(value: unknown): value is NonNullable<unknown> {
  return value !== undefined && value !== null
}
