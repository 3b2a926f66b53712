import * as v from 'valibot'
import { durationSecondsBetween } from '../duration.ts'
import { bySchema } from '../partition.ts'

const method = v.pipe(
  v.string(),
  v.toUpperCase(),
  v.regex(/^[A-Z]{1,20}$/, 'It must be a method such as "POST".'),
)
const bytes = v.pipe(v.number(), v.integer('It must be a whole number.'), v.minValue(0))

/** The options of `idempotency`. */
export const idempotencyOptions = v.strictObject({
  methods: v.pipe(
    v.optional(v.pipe(v.array(method), v.minLength(1, 'The list must not be empty.')), ['POST', 'PATCH']),
    v.description('Methods whose requests are looked at; others pass.'),
  ),
  header: v.pipe(
    v.optional(
      v.pipe(v.string(), v.regex(/^[A-Za-z0-9-]{1,100}$/, 'It must be the name of a header.')),
      'Idempotency-Key',
    ),
    v.description('The header that has the key.'),
  ),
  required: v.pipe(
    v.optional(v.boolean(), false),
    v.description(
      'Whether requests without a key are refused; otherwise they pass, and may be carried out twice.',
    ),
  ),
  by: v.pipe(
    v.optional(bySchema, 'identity.sub'),
    v.description(
      'Whose keys are told apart, as in `rate-limit`; callers without the value go by their address. Each route has keys of its own.',
    ),
  ),
  ttl: v.pipe(
    v.optional(durationSecondsBetween(60, 30 * 86_400), 86_400),
    v.description('How long an answer is kept for repeated requests.'),
  ),
  lease: v.pipe(
    v.optional(durationSecondsBetween(1, 3600), 60),
    v.description(
      'How long a request may take. One whose process died holds its key so long; one that takes longer may be carried out again.',
    ),
  ),
  max_request_bytes: v.pipe(
    v.optional(v.pipe(bytes, v.maxValue(16 * 1024 * 1024)), 1024 * 1024),
    v.description(
      'The longest body of a request with a key, which is read to compare it; a longer one is refused.',
    ),
  ),
  max_response_bytes: v.pipe(
    v.optional(v.pipe(bytes, v.maxValue(512 * 1024)), 256 * 1024),
    v.description('The longest body of an answer that is kept; at most 512 KiB.'),
  ),
})

export type IdempotencyOptions = v.InferOutput<typeof idempotencyOptions>
