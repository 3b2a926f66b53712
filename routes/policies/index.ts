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
import {
  createPhase as create,
  type MiddlewareSetup,
  toMiddleware,
  toTargetMiddleware,
} from './middleware.ts'
import { mtlsPolicy } from './mtls/index.ts'
import { oidcPolicy } from './oidc/index.ts'
import type { Phase, PolicyKind } from './policy.ts'
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

export type { ApiKey } from '../../src/core/gateway.ts'
export {
  grantOfQuota,
  type PermitGrant,
  type PermitRequest,
  periodEndMs,
  type QuotaPeriod,
  type QuotaRequest,
  type QuotaState,
} from '../../src/core/permits.ts'
export { hashPassword } from './basic/password.ts'
export type { Identity } from './identity.ts'
export { createLocalServices } from './local-services.ts'
export type {
  Middleware,
  MiddlewareContext,
  MiddlewareSetup,
  MiddlewareTarget,
  PolicyEnv,
  PolicyVariables,
  TargetSetup,
} from './middleware.ts'
export type { Phase, PolicyKind } from './policy.ts'
export type {
  ApiKeyService,
  CacheService,
  LimiterService,
  RecordService,
  Services,
  StoredBytes,
} from './services.ts'
export {
  anyOfPolicy,
  apiKeyPolicy,
  basicPolicy,
  hmacPolicy,
  introspectionPolicy,
  ipPolicy,
  jwtPolicy,
  mtlsPolicy,
  oidcPolicy,
}

/**
 * A policy that another one is made of:
 * `anyOf({ policies: ['keys'] }, { policies: { keys: createPhase(apiKeyPolicy, {}, { name: 'keys' }) } })`.
 *
 * @throws SkerryError ERR_GATEWAY_FILE for options that are wrong
 */
export const createPhase: <Options, Input>(
  kind: PolicyKind<Options, Input>,
  options: Input,
  setup?: MiddlewareSetup,
) => Phase = create

/**
 * Every policy as Hono middleware, for Workers that use them without the platform:
 * `import { jwt } from 'skerry/policies'`. Marked as pure, so that bundlers leave those out that a Worker doesn't use.
 */

export const anyOf = /* @__PURE__ */ toMiddleware(anyOfPolicy)
export const apiKey = /* @__PURE__ */ toMiddleware(apiKeyPolicy)
export const basic = /* @__PURE__ */ toMiddleware(basicPolicy)
export const cache = /* @__PURE__ */ toMiddleware(cachePolicy)
export const canary = /* @__PURE__ */ toMiddleware(canaryPolicy)
export const circuitBreaker = /* @__PURE__ */ toMiddleware(circuitBreakerPolicy)
export const concurrency = /* @__PURE__ */ toMiddleware(concurrencyPolicy)
export const cors = /* @__PURE__ */ toMiddleware(corsPolicy)
export const hmac = /* @__PURE__ */ toMiddleware(hmacPolicy)
export const idempotency = /* @__PURE__ */ toMiddleware(idempotencyPolicy)
export const introspection = /* @__PURE__ */ toMiddleware(introspectionPolicy)
export const ip = /* @__PURE__ */ toMiddleware(ipPolicy)
export const jsonSchema = /* @__PURE__ */ toMiddleware(jsonSchemaPolicy)
export const jwt = /* @__PURE__ */ toMiddleware(jwtPolicy)
export const maintenance = /* @__PURE__ */ toMiddleware(maintenancePolicy)
export const mtls = /* @__PURE__ */ toMiddleware(mtlsPolicy)
export const quota = /* @__PURE__ */ toMiddleware(quotaPolicy)
export const rateLimit = /* @__PURE__ */ toMiddleware(rateLimitPolicy)
export const oidc = /* @__PURE__ */ toMiddleware(oidcPolicy)
export const openApi = /* @__PURE__ */ toMiddleware(openApiPolicy)
export const rbac = /* @__PURE__ */ toMiddleware(rbacPolicy)
/** Hono's handlers can be asked once only, so what is asked again is given: `retry({}, { target: request => fetch(request) })`. */
export const retry = /* @__PURE__ */ toTargetMiddleware(retryPolicy)
export const securityHeaders = /* @__PURE__ */ toMiddleware(securityHeadersPolicy)
export const shadow = /* @__PURE__ */ toMiddleware(shadowPolicy)
export const timeout = /* @__PURE__ */ toMiddleware(timeoutPolicy)
export const transform = /* @__PURE__ */ toMiddleware(transformPolicy)
export const bodyLimit = /* @__PURE__ */ toMiddleware(bodyLimitPolicy)
export const compress = /* @__PURE__ */ toMiddleware(compressPolicy)
