import { SkerryError } from '../src/core/errors.ts'
import { LIMITS } from '../src/core/limits.ts'

/** The refusal of a binding: names it, then says what is wrong and the way out. */
export function invalidBinding(name: string, problem: string): SkerryError {
  return new SkerryError('ERR_BINDING_INVALID', `Binding "${name}": ${problem}`)
}

/**
 * A field that must be a non-empty text.
 *
 * @throws ERR_BINDING_INVALID
 */
export function requireText(input: Readonly<Record<string, unknown>>, field: string, name: string): string {
  const value = input[field]
  if (typeof value === 'string' && value !== '') return value
  throw invalidBinding(name, `\`${field}\` is ${describe(value)}. It must be a non-empty string.`)
}

/**
 * The id of something that the account keeps. Projects hold more than Cloudflare's own ids: a placeholder such as
 * `<your-database-id>` names a thing as well, and is adopted as any other.
 *
 * @param listing the command that lists the account's ids
 * @throws ERR_BINDING_INVALID
 */
export function requireId(value: unknown, field: string, name: string, listing: string): string {
  // What an address of the API would take for its own syntax is left out.
  if (typeof value === 'string' && /^[!-~]{1,64}$/.test(value) && !/[/?#%\\]|^\.+$/.test(value)) return value
  throw invalidBinding(
    name,
    `\`${field}\` is ${describe(value)}. It must be 1 to 64 printable ASCII characters: no space, none of /?#%\\; \`${listing}\` shows the account's ids.`,
  )
}

/**
 * A variable's text: any string of at most LIMITS.variableBytes bytes of UTF-8.
 *
 * @throws ERR_BINDING_INVALID
 */
export function requireVariable(value: unknown, field: string, name: string): string {
  if (typeof value !== 'string') {
    throw invalidBinding(name, `\`${field}\` is ${describe(value)}. It must be a string.`)
  }
  checkVariableSize(value, name)
  return value
}

/**
 * Refuses a text of more than LIMITS.variableBytes bytes of UTF-8.
 *
 * @throws ERR_BINDING_INVALID
 */
export function checkVariableSize(text: string, name: string): void {
  const bytes = new TextEncoder().encode(text).length
  if (bytes <= LIMITS.variableBytes) return
  throw invalidBinding(
    name,
    `the value has ${bytes} bytes; at most ${LIMITS.variableBytes} are allowed. Keep large values in KV or in a module.`,
  )
}

/** A value as error messages show it: short, and never the content of an object. */
export function describe(value: unknown): string {
  if (value === undefined) return 'missing'
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)
  return Array.isArray(value) ? 'an array' : `of type ${typeof value}`
}
