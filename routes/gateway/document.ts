import * as v from 'valibot'

/**
 * The gateway file (`gateway.toml` or JSON), all but the options of policies: those are in the schema of each kind
 * (routes/policies/kinds.ts), and routes/gateway/check.ts puts both together.
 */

const text = v.pipe(v.string(), v.minLength(1, 'It must not be empty.'))
const name = v.pipe(
  v.string(),
  v.regex(
    /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$/,
    'It must have 1 to 63 letters, digits, dots, dashes or underscores.',
  ),
)
const textOrList = v.union([text, v.pipe(v.array(text), v.minLength(1, 'The list must not be empty.'))])

/** A condition on a header or a query parameter: a text that it equals, one of several, or `true` for any value, `false` for none. */
const condition = v.union([v.string(), v.array(v.string()), v.boolean()])

const upstreamServer = v.strictObject({
  url: v.pipe(
    v.string(),
    v.regex(/^https?:\/\/[^/?#]+(\/[^?#]*)?$/, 'It must be an http: or https: URL without query.'),
  ),
  weight: v.optional(
    v.pipe(v.number(), v.integer('It must be a whole number.'), v.minValue(0), v.maxValue(1000)),
    1,
  ),
})

/** Where a reverse proxy sends requests. */
const upstream = v.strictObject({
  servers: v.pipe(v.array(upstreamServer), v.minLength(1, 'There must be a server.')),
  /** The runtimes take the Host header from the URL, and send no other. */
  host: v.optional(
    v.literal(
      'upstream',
      'It must be "upstream": the Host header is that of the server\'s URL; the client\'s is in X-Forwarded-Host.',
    ),
    'upstream',
  ),
  timeout_ms: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(600_000)), 30_000),
  /** After so many failures in a row a server is left out … */
  max_fails: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0)), 3),
  /** … for so long. */
  fail_seconds: v.optional(v.pipe(v.number(), v.minValue(1), v.maxValue(3600)), 10),
})

const redirectTo = v.pipe(
  v.string(),
  v.regex(
    /^(?:\/(?![/\\])|https?:\/\/[^/?#])/i,
    'It must be a path that begins with "/", or an http: or https: URL.',
  ),
)

const redirect = v.strictObject({
  to: redirectTo,
  status: v.optional(v.picklist([301, 302, 303, 307, 308]), 308),
  keep_query: v.optional(v.boolean(), true),
})

const respond = v.strictObject({
  status: v.optional(v.pipe(v.number(), v.integer(), v.minValue(200), v.maxValue(599)), 200),
  headers: v.optional(v.record(text, v.string()), {}),
  body: v.optional(v.string(), ''),
})

const identityHeaders = v.strictObject({
  /** Signs the token in `skerry-identity`: HS256. */
  secret: text,
  /** Seconds that the token is good for. */
  ttl: v.optional(v.pipe(v.number(), v.integer(), v.minValue(5), v.maxValue(3600)), 60),
})

/** One route as it is written. */
export const routeSchema = v.strictObject({
  name: v.optional(name),
  /** `[host]/path`, with `:param` and `*`. */
  match: textOrList,
  methods: v.optional(
    v.pipe(v.array(v.pipe(v.string(), v.toUpperCase())), v.minLength(1, 'The list must not be empty.')),
  ),
  headers: v.optional(v.record(v.string(), condition)),
  query: v.optional(v.record(v.string(), condition)),
  /** Higher first; routes of the same priority go by how exactly they match. */
  priority: v.optional(v.pipe(v.number(), v.integer('It must be a whole number.')), 0),

  script: v.optional(text),
  /** A version's id or tag in place of what is deployed. */
  version: v.optional(text),
  upstream: v.optional(
    v.union([
      v.pipe(
        v.string(),
        v.regex(/^https?:\/\/[^/?#]+(\/[^?#]*)?$/, 'It must be an http: or https: URL without query.'),
      ),
      upstream,
    ]),
  ),
  redirect: v.optional(v.union([redirectTo, redirect])),
  respond: v.optional(respond),

  /** The path that the target sees: `:param`s and `*` of `match` are put in. */
  rewrite: v.optional(v.pipe(v.string(), v.startsWith('/', 'It must begin with "/".'))),
  use: v.optional(v.array(name), []),
  request_id: v.optional(v.boolean(), false),
  server_timing: v.optional(v.boolean(), false),
  identity_headers: v.optional(identityHeaders),
})

/** The whole file. */
export const documentSchema = v.strictObject({
  /** Which scripts answer on `<script>.<domain>`: those that no route names, all, or none. */
  script_hosts: v.optional(v.picklist(['unrouted', 'all', 'none']), 'unrouted'),
  /** Networks (CIDR) whose `Forwarded` or `X-Forwarded-For` is believed. */
  trusted_proxies: v.optional(v.array(text), []),
  paths: v.optional(
    v.strictObject({
      case: v.optional(v.picklist(['sensitive', 'insensitive']), 'sensitive'),
      trailing_slash: v.optional(v.picklist(['ignore', 'strict']), 'ignore'),
      encoded_slashes: v.optional(v.picklist(['refuse', 'keep']), 'refuse'),
    }),
    {},
  ),
  routes: v.optional(v.array(routeSchema), []),
  policies: v.optional(v.record(name, v.looseObject({ type: text })), {}),
})

/** A checked gateway file, with every default in its place. */
export type GatewayDocument = v.InferOutput<typeof documentSchema>
/** A checked route. */
export type GatewayRoute = v.InferOutput<typeof routeSchema>
/** A checked upstream, in its long form. */
export type UpstreamOptions = v.InferOutput<typeof upstream>
