import { env } from 'cloudflare:workers'
import type { LimiterService, RecordService } from 'skerry/policies'

/** One object for all isolates. With many callers, take several: by policy, or by a part of the key. */
const shared = () => env.SHARED.getByName('all')

// A stub belongs to the request that made it: so each call makes one.

/** Counters of `rate-limit` and `quota` that all isolates share. */
export const limiter: LimiterService = {
  take: request => shared().take(request),
  spend: request => shared().spend(request),
}

/** Records of `idempotency`, `hmac` and `oidc` that all isolates share, and that last. */
export const records: RecordService = {
  claim: (key, value, ttlSeconds) => shared().claim(key, value, ttlSeconds),
  put: (key, value, ttlSeconds) => shared().put(key, value, ttlSeconds),
  get: key => shared().get(key),
  delete: key => shared().delete(key),
}
