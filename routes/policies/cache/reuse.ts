import type { CacheControl } from './cache-control.ts'
import type { Entry } from './entry.ts'

/** What may be done with a stored response that answers the request. */
export type Use =
  /** Give it. */
  | 'hit'
  /** Give it although it is stale, as the client allows. */
  | 'stale'
  /** Give it although it is stale, and ask for a new one. */
  | 'stale-while-revalidate'
  /** Ask the target first. */
  | 'validate'

/**
 * What RFC 9111 §4 and RFC 5861 allow to do with a stored response.
 *
 * @param said the request's own directives; nothing if they don't count
 */
export function judge(entry: Entry, said: CacheControl | undefined, nowMs: number): Use {
  const isFresh = nowMs < entry.freshUntilMs
  if (!said) return isFresh ? 'hit' : mayRevalidateLater(entry, nowMs) ? 'stale-while-revalidate' : 'validate'
  if (said.noCache || said.noStore) return 'validate'
  if (said.maxAge !== undefined && entry.ageMs(nowMs) > said.maxAge * 1000) return 'validate'
  const leftMs = entry.staleAtMs - nowMs
  if (said.minFresh !== undefined && leftMs < said.minFresh * 1000) return 'validate'
  if (isFresh) return 'hit'
  const { freshness } = entry.init
  if (said.maxStale !== undefined) {
    if (-leftMs > said.maxStale * 1000) return 'validate'
    if (freshness.allowsMaxStale && !freshness.mustValidate) return 'stale'
  }
  return mayRevalidateLater(entry, nowMs) ? 'stale-while-revalidate' : 'validate'
}

/** Whether a stale response may stand in for an error (RFC 5861 §4), or for a target that can't be reached (RFC 9111 §4.2.4). */
export function mayBridge(
  entry: Entry,
  failure: 'error' | 'unreachable',
  said: CacheControl | undefined,
  nowMs: number,
): boolean {
  // The client asked not to be given it like this.
  if (said?.noCache || said?.maxAge !== undefined || said?.minFresh !== undefined) return false
  const { staleIfErrorMs, staleIfUnreachableMs, mustValidate } = entry.init.freshness
  const boundMs = failure === 'error' ? staleIfErrorMs : staleIfUnreachableMs
  return !mustValidate && nowMs - entry.staleAtMs < boundMs
}

function mayRevalidateLater({ init, staleAtMs }: Entry, nowMs: number): boolean {
  const { staleWhileRevalidateMs, mustValidate } = init.freshness
  return !mustValidate && nowMs - staleAtMs < staleWhileRevalidateMs
}
