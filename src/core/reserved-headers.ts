/**
 * Request headers that Cloudflare sets itself: a client's word is worth nothing in them, so functions never see
 * it. Removed by the listening socket where the host can do that (`host/topology.ts`; it costs nothing there),
 * by Cloudflare's network, else by `src/incoming.ts`.
 */
export const RESERVED_HEADERS = [
  'cf-connecting-ip',
  'cf-ray',
  'cf-ipcountry',
  'cf-visitor',
  'x-real-ip',
  'true-client-ip',
  'cf-worker',
] as const

/** In which the supervisor says whose request it hands over, as `address:port`; believed on a private socket only. */
export const CLIENT_HEADER = 'skerry-client'
