import * as v from 'valibot'
import { definePolicy, type Phase } from './policy.ts'

const headerName = v.pipe(
  v.string(),
  v.regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/, 'It must be the name of a header.'),
)
const headerValue = v.pipe(
  v.string(),
  v.regex(/^[\x20-\x7e]{1,4096}$/, 'It must be printable ASCII, at most 4096 characters, in one line.'),
)
const valueOrOff = v.union([headerValue, v.literal(false)])

const options = v.strictObject({
  hsts: v.pipe(
    v.optional(valueOrOff, 'max-age=31536000; includeSubDomains'),
    v.description('`Strict-Transport-Security`; browsers heed it over https only. `false` = none.'),
  ),
  content_type_options: v.pipe(v.optional(valueOrOff, 'nosniff'), v.description('`X-Content-Type-Options`.')),
  frame_options: v.pipe(v.optional(valueOrOff, 'SAMEORIGIN'), v.description('`X-Frame-Options`.')),
  referrer_policy: v.pipe(
    v.optional(valueOrOff, 'strict-origin-when-cross-origin'),
    v.description('`Referrer-Policy`.'),
  ),
  content_security_policy: v.pipe(
    v.optional(valueOrOff, false),
    v.description('`Content-Security-Policy`; none by default, as it depends on the pages.'),
  ),
  permissions_policy: v.pipe(v.optional(valueOrOff, false), v.description('`Permissions-Policy`.')),
  opener_policy: v.pipe(
    v.optional(valueOrOff, 'same-origin'),
    v.description('`Cross-Origin-Opener-Policy`.'),
  ),
  resource_policy: v.pipe(v.optional(valueOrOff, false), v.description('`Cross-Origin-Resource-Policy`.')),
  embedder_policy: v.pipe(v.optional(valueOrOff, false), v.description('`Cross-Origin-Embedder-Policy`.')),
  override: v.pipe(
    v.optional(v.boolean(), false),
    v.description('Replaces what the target says itself; otherwise its own headers stay.'),
  ),
  remove: v.pipe(
    v.optional(v.array(headerName), ['server', 'x-powered-by']),
    v.description('Headers that are taken out of answers.'),
  ),
})

type SecurityHeadersOptions = v.InferOutput<typeof options>

/** Puts the headers in that tell browsers to be careful, and takes out those that tell strangers too much. */
export const securityHeadersPolicy = definePolicy({
  type: 'security-headers',
  summary: 'Puts headers in that make browsers careful, and takes out what tells too much.',
  options,
  create: options => toPhase(options),
})

function toPhase(options: SecurityHeadersOptions): Phase {
  const headers = Object.entries(HEADERS).flatMap(([option, name]) => {
    const value = options[option as keyof typeof HEADERS]
    return value === false ? [] : [[name, value] as const]
  })
  return {
    request(exchange) {
      const edits = exchange.responseHeaders
      for (const name of options.remove) edits.delete(name)
      for (const [name, value] of headers) {
        if (options.override) edits.set(name, value)
        else edits.setIfAbsent(name, value)
      }
      return undefined
    },
  }
}

const HEADERS = {
  hsts: 'strict-transport-security',
  content_type_options: 'x-content-type-options',
  frame_options: 'x-frame-options',
  referrer_policy: 'referrer-policy',
  content_security_policy: 'content-security-policy',
  permissions_policy: 'permissions-policy',
  opener_policy: 'cross-origin-opener-policy',
  resource_policy: 'cross-origin-resource-policy',
  embedder_policy: 'cross-origin-embedder-policy',
} as const
