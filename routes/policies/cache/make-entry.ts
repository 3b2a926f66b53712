import { initialAgeMs, type Timing } from './age.ts'
import { parseCacheControl } from './cache-control.ts'
import { Entry, type EntryInit } from './entry.ts'
import { type FreshnessRules, freshnessOf } from './freshness.ts'
import { parseHttpDate, toHttpDate } from './http-date.ts'
import { isShareable, type StorableFacts, whyNotStorable } from './storable.ts'
import { type Field, fieldsToStore, tagsOf, updateFields } from './stored-fields.ts'
import { readTargeted } from './targeted.ts'
import { parseVary, varyPairs } from './vary.ts'

/** What the operator decided about storing. */
export interface StoringRules extends FreshnessRules, Pick<StorableFacts, 'setCookie' | 'statuses'> {
  readonly ignoredVary: ReadonlySet<string>
}

/** What a response answered, and when. */
export interface Asked extends Timing, Pick<EntryInit, 'url' | 'uri' | 'partition' | 'purgeSequence'> {
  /** The header of the request as the target got it. */
  readonly request: Headers
  /** The request was of one caller, and the partition doesn't say of which. */
  readonly isPersonal: boolean
}

/** An entry without its body, or why there is to be none. */
export type Draft = { readonly init: Omit<EntryInit, 'body'> } | { readonly reason: string }

/** What would be stored of a response to a GET; its body is still to come. */
export function draftEntry(response: Response, asked: Asked, rules: StoringRules): Draft {
  const { status, statusText, headers } = response
  return draft({ status, statusText, headers, omitsCookies: rules.setCookie !== 'store' }, asked, rules)
}

/**
 * The entry that a 304, or a HEAD's answer, makes of a stored one (RFC 9111 §3.2, §4.3.4); or why what is stored must
 * not be kept any longer.
 */
export function draftUpdate(stored: Entry, answer: Headers, asked: Asked, rules: StoringRules): Draft {
  const newer = fieldsToStore(answer, {}, rules.setCookie === 'store')
  // The stored Date is of long ago; an answer without one is of now (RFC 9110 §6.6.1).
  if (!answer.has('date')) newer.push(['date', toHttpDate(asked.responseMs)])
  // What the 304 says of targeted lifetimes and tags counts, though it isn't stored as a field.
  const fields = updateFields(stored.init.fields, newer)
  const headers = new Headers(fields as Field[] as [string, string][])
  for (const name of UNSTORED) {
    const value = answer.get(name)
    if (value !== null) headers.set(name, value)
  }
  const { status, statusText, tags, isRuntimeCoded } = stored.init
  const made = draft({ status, statusText, headers, omitsCookies: rules.setCookie !== 'store' }, asked, rules)
  if ('reason' in made) return made
  if (headers.has('cache-tag')) return { init: { ...made.init, isRuntimeCoded } }
  return { init: { ...made.init, isRuntimeCoded, tags } }
}

interface Source {
  readonly status: number
  readonly statusText: string
  readonly headers: Headers
  readonly omitsCookies: boolean
}

function draft(source: Source, asked: Asked, rules: StoringRules): Draft {
  const { status, statusText, headers } = source
  const { url, uri, partition, purgeSequence, responseMs, isPersonal } = asked
  const targeted = readTargeted(headers)
  const control = targeted ?? parseCacheControl(headers.get('cache-control'))
  const { setCookie, statuses } = rules
  const reason = whyNotStorable({ status, headers, control, isPersonal, setCookie, statuses })
  if (reason) return { reason }
  const date = parseHttpDate(headers.get('date'), responseMs)
  const dateMs = date ?? responseMs
  const facts = { status, headers, control, isTargeted: targeted !== undefined, dateMs, responseMs }
  const freshness = freshnessOf(facts, rules)
  if (!freshness) return { reason: 'it has no lifetime' }
  const names = parseVary(headers.get('vary'), rules.ignoredVary)
  if (!names) return { reason: 'no request can be told to get the same (Vary: *)' }
  const ageMs = initialAgeMs(headers.get('age'), date, asked)
  const hasValidator = headers.has('etag') || headers.has('last-modified')
  const { lifetimeMs, mustValidate, ...windows } = freshness
  const staysUseful = windows.staleWhileRevalidateMs > 0 || windows.staleIfErrorMs > 0
  if (!hasValidator && (mustValidate || (lifetimeMs <= ageMs && !staysUseful)))
    return { reason: 'it is stale at once, and has no validator' }
  const fields = fieldsToStore(headers, control, !source.omitsCookies)
  if (!headers.has('date')) fields.push(['date', toHttpDate(responseMs)])
  return {
    init: {
      status,
      statusText,
      fields,
      url,
      uri,
      partition,
      vary: varyPairs(names, asked.request),
      tags: tagsOf(headers),
      freshness,
      isShareable: isShareable(control),
      isRuntimeCoded: false,
      responseMs,
      initialAgeMs: ageMs,
      dateMs,
      purgeSequence,
    },
  }
}

/** The entry of a draft, now that its body is there. */
export function completeEntry(init: Omit<EntryInit, 'body'>, body: Uint8Array | null): Entry {
  if (body === null) return new Entry({ ...init, body })
  const fields = init.fields.filter(([name]) => name !== 'content-length')
  // What the runtime makes of it has another length.
  if (init.isRuntimeCoded) return new Entry({ ...init, body, fields })
  return new Entry({ ...init, body, fields: [...fields, ['content-length', String(body.byteLength)]] })
}

const UNSTORED = ['age', 'cache-tag', 'cloudflare-cdn-cache-control']
