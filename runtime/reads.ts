import type { ModuleType, Reads } from '../src/core/manifest.ts'

/** Headers that Cloudflare sets on a request for the function. */
const CLIENT_HEADERS =
  /cf-(?:connecting-ip|ray|ipcountry|visitor|pseudo-ipv4|worker|ew-via)|x-real-ip|x-forwarded-(?:for|proto)|true-client-ip/i
/** A name put together at run time: `'cf-' + part`. */
const BUILT_HEADER = /['"`](?:cf|x-forwarded|true-client)-(?:['"`]|\$\{)/i
const CACHES = /\bcaches\b/
/** `request.cf`, `request['cf']`, `{ cf }`, `{ cf: place }`. */
const CF = /\.\s*cf\b|['"`]cf['"`]|[{,]\s*cf\s*[,}:=]/

/**
 * What a version's code mentions, so that the hot path prepares nothing that nobody reads.
 *
 * It is a text search, and errs on the side of `true`: a mention in a comment counts. Every module is searched,
 * as compiled code keeps header names in its data. Names that are computed in a way that no search can find
 * are missed.
 */
export function readsOf(
  modules: ReadonlyMap<string, { readonly type: ModuleType; readonly bytes: Uint8Array }>,
): Reads {
  let cf = false
  let clientHeaders = false
  let caches = false
  for (const { type, bytes } of modules.values()) {
    if (type === 'source-map') continue
    // One character a byte: fast, and the names are ASCII.
    const text = new TextDecoder('latin1').decode(bytes)
    cf ||= type !== 'wasm' && type !== 'data' && CF.test(text)
    caches ||= type !== 'wasm' && type !== 'data' && CACHES.test(text)
    clientHeaders ||= CLIENT_HEADERS.test(text) || BUILT_HEADER.test(text)
    if (cf && clientHeaders && caches) break
  }
  return { cf, clientHeaders, ...(caches && { caches }) }
}
