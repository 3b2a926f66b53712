import * as v from 'valibot'
import { durationSecondsBetween } from '../duration.ts'

const YEAR = 31_536_000
const duration = durationSecondsBetween(0, YEAR)
const described = <Schema extends v.GenericSchema>(schema: Schema, text: string) =>
  v.pipe(schema, v.description(text))

const fieldName = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$/, 'It must be the name of a header.'),
  v.toLowerCase(),
)
const parameterName = v.pipe(
  v.string(),
  v.regex(/^[^*&=]{0,99}[^&=]$/, 'It must have 1 to 100 characters; only its last one may be "*".'),
)
const names = <Item extends v.GenericSchema>(item: Item) =>
  v.pipe(v.array(item), v.maxLength(50, 'The list must have at most 50 entries.'))
const bytes = (max: number) =>
  v.pipe(
    v.number(),
    v.integer('It must be a whole number of bytes.'),
    v.minValue(0, 'It must not be negative.'),
    v.maxValue(max, `It must be at most ${max} bytes.`),
  )

const keySchema = v.strictObject({
  query: v.optional(
    described(
      v.union([v.picklist(['all', 'none']), names(parameterName)]),
      'Which query parameters tell responses apart: `all`, `none`, or the names of those that do; a name may end in `*`.',
    ),
    'all',
  ),
  ignore_query: v.optional(
    described(
      names(parameterName),
      'Query parameters that never tell responses apart; a name may end in `*`.',
    ),
    [],
  ),
  sort_query: v.optional(
    described(v.boolean(), 'The order of query parameters of different names does not matter.'),
    false,
  ),
  headers: v.optional(
    described(names(fieldName), 'Request headers whose values tell responses apart, whatever `Vary` says.'),
    [],
  ),
  cookies: v.optional(
    described(
      names(v.pipe(v.string(), v.minLength(1), v.maxLength(100))),
      'Cookies whose values tell responses apart.',
    ),
    [],
  ),
  device: v.optional(
    described(
      v.boolean(),
      'Desktop, mobile and tablet clients, by their `User-Agent`, get responses of their own.',
    ),
    false,
  ),
  identity: v.optional(
    described(
      v.boolean(),
      'Each caller that an earlier policy identified gets responses of its own; then also responses are stored that do not say `public`.',
    ),
    false,
  ),
})

/** The options of the policy `cache`. */
export const cacheOptions = v.strictObject({
  ttl: v.optional(
    described(
      duration,
      'How long a response is fresh that does not say it itself (statuses 200, 203, 204, 300, 301, 308, 404, 405, 410, 414 and 501); without it, such a response is not stored.',
    ),
  ),
  ttl_by_status: v.optional(
    described(
      v.record(
        v.pipe(
          v.string(),
          v.regex(/^(?:[2-5]\d\d|[2-5]xx)$/, 'It must be a status such as 404, or a class such as "5xx".'),
        ),
        duration,
      ),
      'The same by status (`404`) or class (`5xx`), before `ttl`: caches errors, too.',
    ),
  ),
  override: v.optional(
    described(
      v.boolean(),
      '`ttl` and `ttl_by_status` count also where a response names its own lifetime; `private`, `no-store` and `no-cache` still hold.',
    ),
    false,
  ),
  heuristic: v.optional(
    described(
      v.pipe(v.number(), v.minValue(0, 'It must be at least 0.'), v.maxValue(1, 'It must be at most 1.')),
      'The part of the time since `Last-Modified` for which a response without a lifetime is fresh, at most a day; 0.1 is usual, 0 = none is.',
    ),
    0,
  ),
  methods: v.optional(
    described(
      v.pipe(v.array(v.picklist(['GET', 'HEAD'])), v.minLength(1, 'There must be a method.')),
      'Which methods are answered from the cache.',
    ),
    ['GET', 'HEAD'],
  ),
  statuses: v.optional(
    described(
      v.pipe(
        v.array(v.pipe(v.number(), v.integer(), v.minValue(200), v.maxValue(599))),
        v.minLength(1, 'There must be a status.'),
      ),
      'The only statuses that are stored; without it, all but 206 and 304.',
    ),
  ),
  key: v.optional(
    described(keySchema, 'What tells stored responses apart, beside host, path and `Vary`.'),
    {},
  ),
  ignore_vary: v.optional(
    described(names(fieldName), 'Request headers that do not matter although `Vary` names them.'),
    [],
  ),
  set_cookie: v.optional(
    described(
      v.picklist(['refuse', 'strip', 'store']),
      'What to do with a response that sets cookies: not store it, store it without them, or store it as it is, so that all callers get the same cookie.',
    ),
    'refuse',
  ),
  stale_while_revalidate: v.optional(
    described(
      duration,
      'How long a response may be used beyond its lifetime while it is fetched anew in the background, unless it says so itself.',
    ),
    0,
  ),
  stale_if_error: v.optional(
    described(
      duration,
      'How long a response may be used beyond its lifetime when the target answers 500, 502, 503 or 504 or cannot be reached, unless it says so itself. Without it, one minute, and only when the target cannot be reached.',
    ),
  ),
  client_directives: v.optional(
    described(
      v.picklist(['honour', 'ignore']),
      "Whether a client's `Cache-Control` counts: with `ignore`, no client can make the target work by asking for `no-cache`.",
    ),
    'honour',
  ),
  collapse: v.optional(
    described(
      v.boolean(),
      'Of requests that miss the same response at the same time, on all edges, one fetches it and the others wait for it.',
    ),
    true,
  ),
  shared: v.optional(
    described(v.boolean(), 'Responses are also kept in the store that all edges share.'),
    true,
  ),
  max_bytes: v.optional(
    described(
      bytes(1_073_741_824),
      'The memory for stored responses of an edge; all policies of this type share it, and the largest value counts.',
    ),
    67_108_864,
  ),
  max_object_bytes: v.optional(
    described(bytes(25_000_000), 'Larger bodies pass through without being stored.'),
    4_194_304,
  ),
  status_header: v.optional(
    described(v.boolean(), 'Answers say in `Cache-Status` (RFC 9211) what the cache did.'),
    true,
  ),
})

/** Checked options, with every default in its place. */
export type CacheOptions = v.InferOutput<typeof cacheOptions>
/** The part of them that makes the key. */
export type KeyOptions = CacheOptions['key']
