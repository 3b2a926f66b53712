import * as v from 'valibot'
import { durationSecondsBetween } from '../duration.ts'

const MAX_BODY_BYTES = 32 * 1024 * 1024
const headerName = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/, 'It must be the name of a header.'),
)
const secretText = v.pipe(v.string(), v.minLength(1, 'It must not be empty.'))
const bytesMessage = `It must be a whole number of bytes from 1 to ${MAX_BODY_BYTES}.`

/** What may stand in the gateway file beside `type = "hmac"`. */
export const hmacOptions = v.strictObject({
  provider: v.pipe(
    v.picklist(['github', 'stripe', 'slack', 'standard-webhooks', 'generic']),
    v.description('Who signs: its scheme is used. "generic" is described by the options below.'),
  ),
  secret: v.pipe(
    v.union([
      secretText,
      v.pipe(v.array(secretText), v.minLength(1), v.maxLength(8, 'At most 8 secrets can be tried.')),
    ]),
    v.description('The shared secret (`secret:NAME`), or up to 8 of them while one replaces another.'),
  ),
  tolerance: v.pipe(
    v.optional(durationSecondsBetween(1, 86_400), 300),
    v.description(
      'How far the signed timestamp may be from now, before or after; for schemes that have one.',
    ),
  ),
  replay: v.pipe(
    v.optional(v.boolean()),
    v.description('Refuse a message that came before. Default: true for schemes with a timestamp or an id.'),
  ),
  replay_window: v.pipe(
    v.optional(durationSecondsBetween(60, 30 * 86_400), 86_400),
    v.description('How long messages are remembered in schemes without a timestamp.'),
  ),
  max_body_bytes: v.pipe(
    v.optional(
      v.pipe(
        v.number(),
        v.integer(bytesMessage),
        v.minValue(1, bytesMessage),
        v.maxValue(MAX_BODY_BYTES, bytesMessage),
      ),
      1024 * 1024,
    ),
    v.description('The longest body that is read to be verified.'),
  ),
  header: v.pipe(v.optional(headerName), v.description('generic: the header with the signature.')),
  algorithm: v.pipe(
    v.optional(v.picklist(['sha256', 'sha384', 'sha512'])),
    v.description('generic: the hash function. Default: sha256.'),
  ),
  encoding: v.pipe(
    v.optional(v.picklist(['hex', 'base64'])),
    v.description('generic: how the signature is written. Default: hex.'),
  ),
  prefix: v.pipe(
    v.optional(v.pipe(v.string(), v.maxLength(64, 'It may have at most 64 characters.'))),
    v.description('generic: what stands in front of the signature, such as "sha256=".'),
  ),
  content: v.pipe(
    v.optional(v.pipe(v.string(), v.maxLength(256, 'It may have at most 256 characters.'))),
    v.description(
      'generic: what is signed, of {body}, {timestamp}, {id}, {method}, {path}, {url}. Default: "{body}".',
    ),
  ),
  timestamp_header: v.pipe(
    v.optional(headerName),
    v.description('generic: the header with the timestamp; {timestamp} must be in "content".'),
  ),
  timestamp_unit: v.pipe(
    v.optional(v.picklist(['s', 'ms'])),
    v.description('generic: whether the timestamp counts seconds or milliseconds. Default: s.'),
  ),
  id_header: v.pipe(
    v.optional(headerName),
    v.description('generic: the header with the message\'s id; {id} must be in "content".'),
  ),
  secret_encoding: v.pipe(
    v.optional(v.picklist(['text', 'hex', 'base64'])),
    v.description('generic: how the secret is written. Default: text.'),
  ),
})

/** The options as they were checked, with their defaults. */
export type HmacOptions = v.InferOutput<typeof hmacOptions>

/** The options that only `generic` knows. */
export const GENERIC_ONLY = [
  'header',
  'algorithm',
  'encoding',
  'prefix',
  'content',
  'timestamp_header',
  'timestamp_unit',
  'id_header',
  'secret_encoding',
] as const satisfies readonly (keyof HmacOptions)[]
