import * as v from 'valibot'
import { SkerryError } from '../../../src/core/errors.ts'
import { findJsonFault } from './json-fault.ts'
import { SchemaFault } from './schema/fault.ts'
import { keysOf } from './schema/pointer.ts'

/** A table, or the text of one in JSON. */
export const tableOrText = v.union(
  [v.string(), v.record(v.string(), v.unknown())],
  'It must be a table, or a text in JSON.',
)

/** The longest body that is read to be checked. */
export const maxBodyBytes = v.pipe(
  v.optional(
    v.pipe(v.number(), v.integer('It must be a whole number.'), v.minValue(1), v.maxValue(16_777_216)),
    1_048_576,
  ),
  v.description('The longest body that is read and checked; longer ones are refused (413).'),
)

/** How deeply a body may nest. */
export const maxDepth = v.pipe(
  v.optional(v.pipe(v.number(), v.integer('It must be a whole number.'), v.minValue(1), v.maxValue(256)), 64),
  v.description('How deeply lists and objects may nest in a body.'),
)

/** Whether formats count. */
export const formats = v.pipe(
  v.optional(v.boolean(), true),
  v.description('Whether `format` is checked; `false`: it is a note, as JSON Schema has it by default.'),
)

/** What stands in an option of `tableOrText`. @throws SkerryError ERR_GATEWAY_FILE */
export function readTable(option: string, written: string | Readonly<Record<string, unknown>>): unknown {
  if (typeof written !== 'string') return written
  try {
    return JSON.parse(written)
  } catch {
    const detail = findJsonFault(written)?.detail ?? 'is not JSON'
    throw new SkerryError('ERR_GATEWAY_FILE', `"${option}" ${detail}.`)
  }
}

/** Makes something of a document; faults of its schemas are told with their places. @throws SkerryError ERR_GATEWAY_FILE with `cause.path` */
export function making<T>(option: string, make: () => T): T {
  try {
    return make()
  } catch (error) {
    if (!(error instanceof SchemaFault)) throw error
    const place = error.pointer === '' ? '' : `, at ${error.pointer}`
    const path = [option, ...(keysOf(error.pointer) ?? [])]
    throw new SkerryError('ERR_GATEWAY_FILE', `In "${option}"${place}: ${error.message}`, { cause: { path } })
  }
}
