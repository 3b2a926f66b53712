import { readBody, withBody } from '../body.ts'
import type { Exchange } from '../exchange.ts'
import type { Failures } from './failures.ts'
import { parseJson } from './json-text.ts'
import { decodeForm, parsePairs } from './pairs.ts'
import { type Schema, stepsFor } from './schema/compile.ts'
import type { TextReader } from './text-reader.ts'

/** How much of a body is looked at. */
export interface BodyBounds {
  readonly max_body_bytes: number
  readonly max_depth: number
}

/** Whether a request has a body, as far as its head tells. */
export function mayHaveBody({ body, headers }: Request): boolean {
  return body !== null && headers.get('content-length') !== '0'
}

/**
 * Takes the bytes of the body out, and puts them back for the target.
 *
 * @returns the bytes, or the refusal of a body that is too long
 */
export async function takeBody(
  exchange: Exchange,
  { max_body_bytes }: BodyBounds,
): Promise<Uint8Array | Response> {
  const { request } = exchange
  const bytes = await readBody(request, max_body_bytes)
  if (!bytes) {
    exchange.trace?.note('The body is too long.', { max_bytes: max_body_bytes })
    return exchange.refuse('ERR_BODY_TOO_LARGE', `The body may have ${max_body_bytes} bytes here, not more.`)
  }
  exchange.request = withBody(request, bytes)
  return bytes
}

/** Notes what is wrong with a JSON text. */
export function checkJson(
  bytes: Uint8Array,
  schema: Schema | undefined,
  { max_depth }: BodyBounds,
  failures: Failures,
): void {
  const parsed = parseJson(bytes, max_depth)
  if ('fault' in parsed) failures.add('body', parsed.fault.path, parsed.fault.detail)
  else if (schema) failures.addAll('body', schema.errorsOf(parsed.value, stepsFor(bytes.length)))
}

/** Notes what is wrong with a form. */
export function checkForm(bytes: Uint8Array, reader: TextReader, failures: Failures): void {
  const pairs = [...parsePairs(new TextDecoder().decode(bytes))].map(
    ([name, texts]) => [name, texts.map(decodeForm)] as const,
  )
  const value = reader.object(pairs)
  failures.addAll('body', reader.schema.errorsOf(value, stepsFor(bytes.length)))
}

/** 415: the body is of a type that isn't taken here. */
export function refuseType(exchange: Exchange, types: readonly string[]): Response {
  const found = exchange.request.headers.get('content-type')
  exchange.trace?.note('Bodies of this type are not taken.', { type: found, types })
  const detail = `The body must be of type ${types.join(' or ')}${found === null ? ', and the header Content-Type must say so' : ''}.`
  return exchange.refuse('ERR_MEDIA_TYPE', detail, { accept: types.join(', ') })
}

/** 415: the body is compressed; nothing here undoes that, and what can't be read can't be checked. */
export function refuseCoding(exchange: Exchange): Response | undefined {
  const coding = exchange.request.headers.get('content-encoding')
  if (coding === null || coding.trim().toLowerCase() === 'identity') return undefined
  exchange.trace?.note('The body is compressed.', { coding })
  const detail = 'The body must be sent as it is, without Content-Encoding.'
  return exchange.refuse('ERR_MEDIA_TYPE', detail, { 'accept-encoding': 'identity' })
}
