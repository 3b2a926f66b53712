/** Request headers that Cloudflare's network sets itself. */
export const CLOUDFLARE_HEADERS = [
  'cf-connecting-ip',
  'cf-ray',
  'cf-ipcountry',
  'cf-visitor',
  'x-real-ip',
  'true-client-ip',
  'cf-worker',
] as const

/**
 * Request headers that tell a route's target who calls, where the route asks for them.
 *
 * `skerry-identity` is the proof: a JWT (HS256, by the route's secret) with `sub`, `scope`, `roles`, the policy and
 * its type; `aud` is the route. The others are for reading, and worth what the way from here to the target is worth.
 */
export const IDENTITY_HEADERS = [
  'skerry-identity',
  'skerry-subject',
  'skerry-scopes',
  'skerry-roles',
] as const

/**
 * Request headers in which a client's word is worth nothing, so targets never see it. Removed by the listening
 * socket where the host can do that (`host/topology.ts`; it costs nothing there), else by `src/incoming.ts`.
 */
export const RESERVED_HEADERS = [...CLOUDFLARE_HEADERS, ...IDENTITY_HEADERS] as const

/** In which the supervisor says whose request it hands over, as `address:port`; believed on a private socket only. */
export const CLIENT_HEADER = 'skerry-client'
