import type { Purge, PurgeTarget } from '../../../src/core/gateway.ts'
import type { Entry } from './entry.ts'

/** Whether an operator's purge is about a stored response: one that was asked for before it. */
export function isPurged(entry: Entry, purge: Purge): boolean {
  return purge.sequence > entry.init.purgeSequence && isTarget(purge, entry.init)
}

/** Whether a purge's target is a stored response of this URL with these tags. Schemes don't count, as in `Cache-Tag`s the case. */
export function isTarget(
  target: PurgeTarget,
  { url, uri, tags }: { readonly url: string; readonly uri: string; readonly tags: readonly string[] },
): boolean {
  if (target.kind === 'everything') return true
  const { kind, value } = target
  if (kind === 'tag') return tags.includes(value.toLowerCase())
  const rest = afterScheme(url)
  const wanted = kind === 'host' ? value.toLowerCase() : afterScheme(value)
  if (kind === 'url') return rest === wanted || afterScheme(uri) === wanted
  if (kind === 'prefix') return isBelow(rest, wanted)
  const host = hostOf(rest)
  const name = host.replace(/:\d+$/, '')
  return wanted.startsWith('*.') ? name.endsWith(wanted.slice(1)) : host === wanted || name === wanted
}

/** `https://Example.com/a#b` → `example.com/a`: what purges and URLs are compared by. */
function afterScheme(url: string): string {
  const hash = url.indexOf('#')
  const whole = hash < 0 ? url : url.slice(0, hash)
  const scheme = whole.indexOf('://')
  const rest = scheme < 0 ? whole : whole.slice(scheme + 3)
  const host = hostOf(rest)
  const path = rest.slice(host.length)
  return host.toLowerCase() + (path === '' || path.startsWith('?') ? `/${path}` : path)
}

function hostOf(rest: string): string {
  const end = rest.search(/[/?]/)
  return end < 0 ? rest : rest.slice(0, end)
}

/** A prefix ends where a part of the path does: `/a` is not about `/ab`. */
function isBelow(url: string, prefix: string): boolean {
  if (!url.startsWith(prefix)) return false
  const next = url.charAt(prefix.length)
  return next === '' || prefix.endsWith('/') || next === '/' || next === '?'
}
