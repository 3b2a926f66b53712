import { anyOfPolicy } from './any-of.ts'
import { apiKeyPolicy } from './api-key.ts'
import { basicPolicy } from './basic/index.ts'
import { bodyLimitPolicy } from './body-limit.ts'
import { cachePolicy } from './cache/index.ts'
import { canaryPolicy } from './canary.ts'
import { circuitBreakerPolicy } from './circuit-breaker.ts'
import { compressPolicy } from './compress.ts'
import { concurrencyPolicy } from './concurrency.ts'
import { corsPolicy } from './cors.ts'
import { hmacPolicy } from './hmac/index.ts'
import { idempotencyPolicy } from './idempotency/index.ts'
import { introspectionPolicy } from './introspection.ts'
import { ipPolicy } from './ip.ts'
import { jwtPolicy } from './jwt/index.ts'
import { maintenancePolicy } from './maintenance.ts'
import { mtlsPolicy } from './mtls/index.ts'
import { oidcPolicy } from './oidc/index.ts'
import type { PolicyKind } from './policy.ts'
import { quotaPolicy } from './quota.ts'
import { rateLimitPolicy } from './rate-limit/index.ts'
import { rbacPolicy } from './rbac.ts'
import { retryPolicy } from './retry.ts'
import { securityHeadersPolicy } from './security-headers.ts'
import { shadowPolicy } from './shadow.ts'
import { timeoutPolicy } from './timeout.ts'
import { transformPolicy } from './transform.ts'
import { jsonSchemaPolicy } from './validate/json-schema.ts'
import { openApiPolicy } from './validate/openapi.ts'

const KINDS = [
  anyOfPolicy,
  compressPolicy,
  bodyLimitPolicy,
  transformPolicy,
  apiKeyPolicy,
  basicPolicy,
  cachePolicy,
  canaryPolicy,
  circuitBreakerPolicy,
  concurrencyPolicy,
  corsPolicy,
  hmacPolicy,
  idempotencyPolicy,
  introspectionPolicy,
  ipPolicy,
  jsonSchemaPolicy,
  jwtPolicy,
  maintenancePolicy,
  mtlsPolicy,
  quotaPolicy,
  rateLimitPolicy,
  oidcPolicy,
  openApiPolicy,
  rbacPolicy,
  retryPolicy,
  securityHeadersPolicy,
  shadowPolicy,
  timeoutPolicy,
] as const

/** Every type of policy that a gateway file may use, by what stands in `type`. */
export const POLICY_KINDS: ReadonlyMap<string, PolicyKind<unknown>> = new Map(
  (KINDS as readonly PolicyKind<unknown>[]).map(kind => [kind.type, kind]),
)
