import type { CacheControl } from './cache-control.ts'
import { isFieldOmitted } from './storable.ts'
import { OWN_TARGETED_FIELD } from './targeted.ts'

/** A header line; names in lower case. */
export type Field = readonly [name: string, value: string]

/** The lines of a response to keep, without those that are for one connection or one caller (RFC 9111 §3.1). */
export function fieldsToStore(headers: Headers, control: CacheControl, keepsCookies: boolean): Field[] {
  const listed = (headers.get('connection') ?? '').split(',').map(name => name.trim().toLowerCase())
  const kept: Field[] = []
  for (const [name, value] of headers) {
    if (NEVER_STORED.has(name) || listed.includes(name) || isFieldOmitted(control, name)) continue
    if (name === 'set-cookie' && !keepsCookies) continue
    kept.push([name, value])
  }
  return kept
}

/** The stored lines with those of a newer answer about the same response in their place (§3.2). */
export function updateFields(stored: readonly Field[], newer: readonly Field[]): Field[] {
  const replaced = new Set(newer.map(([name]) => name).filter(name => !NEVER_UPDATED.has(name)))
  return [...stored.filter(([name]) => !replaced.has(name)), ...newer.filter(([name]) => replaced.has(name))]
}

/** The `Cache-Tag`s of a response: what purges by tag go by, as on Cloudflare. Case doesn't count. */
export function tagsOf(headers: Headers): string[] {
  const text = headers.get('cache-tag')
  if (!text) return []
  const tags = text
    .slice(0, MAX_TAGS_CHARS)
    .split(',')
    .map(tag => tag.trim().toLowerCase())
  return [...new Set(tags.filter(tag => tag !== ''))]
}

/** Hop-by-hop fields, what is computed at each use, and what is for this cache alone. */
const NEVER_STORED: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'age',
  'cache-tag',
  'skerry-request-id',
  'server-timing',
  OWN_TARGETED_FIELD,
])

/** They describe the body that is stored, not the one that wasn't sent. */
const NEVER_UPDATED: ReadonlySet<string> = new Set(['content-length', 'content-encoding', 'content-range'])

/** As Cloudflare's bound for all tags of a response. */
const MAX_TAGS_CHARS = 16_384
