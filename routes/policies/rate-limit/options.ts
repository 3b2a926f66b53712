import * as v from 'valibot'
import { Cost, costSchema } from '../cost.ts'
import { durationSecondsBetween } from '../duration.ts'
import { bySchema, missingSchema } from '../partition.ts'

const count = v.pipe(
  v.number(),
  v.integer('It must be a whole number.'),
  v.minValue(1),
  v.maxValue(1_000_000_000),
)

/** The options of `rate-limit`. */
export const rateLimitOptions = v.pipe(
  v.strictObject({
    limit: v.pipe(
      count,
      v.description('Units that a caller has in any window; a request counts one, or its `cost`.'),
    ),
    window: v.pipe(
      durationSecondsBetween(1, 86_400),
      v.description(
        'How long the window is, from 1 second to 1 day. For longer ones there is the policy `quota`.',
      ),
    ),
    by: v.pipe(
      v.optional(bySchema, 'ip'),
      v.description(
        'By what callers are told apart: `ip` (IPv6 by its /64), `api-key`, `identity.sub` or another claim, `jwt.<claim>`, `header:<name>`, `cookie:<name>`, `route`, `host`, `path`, `all`; or a list, whose values together make a caller.',
      ),
    ),
    missing: v.pipe(
      v.optional(missingSchema, 'ip'),
      v.description(
        'How a request counts that has no such value: by its address (`ip`), or with all others that have none (`shared`).',
      ),
    ),
    algorithm: v.pipe(
      v.optional(v.picklist(['sliding-window', 'token-bucket']), 'sliding-window'),
      v.description(
        '`sliding-window`: never more than `limit` in any window. `token-bucket`: `burst` at once, and `limit` per `window` on average.',
      ),
    ),
    burst: v.pipe(
      v.optional(count),
      v.description('Of a token bucket: units that may come at once. Default: `limit`.'),
    ),
    scope: v.pipe(
      v.optional(v.picklist(['global', 'edge']), 'global'),
      v.description(
        '`global`: one count for all edges. `edge`: each edge counts for itself, without asking anybody; N edges let up to N times as much through.',
      ),
    ),
    cost: v.pipe(
      v.optional(costSchema, 1),
      v.description(
        'Units that a request counts: a number, or a table by method (`POST`), route (`export`), both (`"POST export"`) or `*`. 0 = not counted.',
      ),
    ),
    headers: v.pipe(
      v.optional(v.boolean(), true),
      v.description(
        'Whether answers tell the caller what is left, in `RateLimit-Policy` and `RateLimit`. Without, answers pass untouched.',
      ),
    ),
    on_failure: v.pipe(
      v.optional(v.picklist(['open', 'closed']), 'open'),
      v.description(
        'When the shared count can’t be reached: each edge counts for itself (`open`), or requests are refused (`closed`).',
      ),
    ),
  }),
  v.forward(
    v.partialCheck(
      [['algorithm'], ['burst']],
      ({ algorithm, burst }) => burst === undefined || algorithm === 'token-bucket',
      'It is for algorithm = "token-bucket" only.',
    ),
    ['burst'],
  ),
  v.forward(
    v.partialCheck(
      [['cost'], ['limit'], ['burst']],
      ({ cost, limit, burst }) => new Cost(cost).highest <= (burst ?? limit),
      'No request may cost more than "limit", or "burst" if there is one: it would never be let through.',
    ),
    ['cost'],
  ),
)

export type RateLimitOptions = v.InferOutput<typeof rateLimitOptions>
