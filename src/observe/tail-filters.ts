import { SkerryError } from '../core/errors.ts'
import type { TailEvent, TailMessage } from './tail-event.ts'

/**
 * Which invocations a reader of live logs wants, as `wrangler tail` sends it: each has one of the fields.
 *
 * @see https://developers.cloudflare.com/workers/wrangler/commands/#tail
 */
export type TailFilter =
  /** The share of invocations to show, above 0, at most 1. */
  | { readonly sampling_rate: number }
  | { readonly outcome: readonly string[] }
  | { readonly method: readonly string[] }
  /** The request has the header, and its value contains `query`. */
  | { readonly header: { readonly key: string; readonly query?: string } }
  /** Addresses; `self` was replaced by the address of who asked. */
  | { readonly client_ip: readonly string[] }
  /** A console message contains the text. */
  | { readonly query: string }
  /** The id of a version. */
  | { readonly scriptVersion: string }

/**
 * Reads the body that starts a live log.
 *
 * @param body `{ filters: […] }`; without filters everything is shown
 * @param selfIp what `self` in `client_ip` stands for
 * @throws SkerryError ERR_API_BODY naming the filter
 */
export function parseTailFilters(body: unknown, selfIp: string): TailFilter[] {
  const filters = isRecord(body) ? (body.filters ?? []) : undefined
  if (!Array.isArray(filters)) throw wrong('The body', 'must be an object whose "filters" is an array', body)
  if (filters.length > MAX_FILTERS)
    throw wrong('filters', `has at most ${MAX_FILTERS} entries`, filters.length)
  return filters.map((filter, index) => parseFilter(filter, `filters[${index}]`, selfIp))
}

/**
 * Whether a reader with these filters gets an event: all of them must agree.
 *
 * Headers and URLs are compared as the runtime redacted them, so that filters can't be used to guess secrets.
 *
 * @param random a number from 0 up to 1, for the sampling rate
 */
export function matchesTailFilters(
  filters: readonly TailFilter[],
  event: TailEvent,
  random: number,
): boolean {
  return filters.every(filter => matches(filter, event, random))
}

function matches(filter: TailFilter, { message, clientIp }: TailEvent, random: number): boolean {
  if ('sampling_rate' in filter) return random < filter.sampling_rate
  if ('outcome' in filter) return filter.outcome.includes(message.outcome)
  if ('client_ip' in filter) return clientIp !== undefined && filter.client_ip.includes(clientIp)
  if ('query' in filter)
    return message.logs.some(log => log.message.some(part => textOf(part).includes(filter.query)))
  if ('scriptVersion' in filter) return message.scriptVersion?.id === filter.scriptVersion
  const request = requestOf(message)
  if (!request) return false
  if ('method' in filter) return filter.method.includes(request.method.toUpperCase())
  const { key, query } = filter.header
  const value = Object.hasOwn(request.headers, key) ? request.headers[key] : undefined
  return value !== undefined && (query === undefined || value.includes(query))
}

function requestOf({ event }: TailMessage) {
  return event && 'request' in event ? event.request : undefined
}

function textOf(part: unknown): string {
  return typeof part === 'string' ? part : (JSON.stringify(part) ?? '')
}

function parseFilter(filter: unknown, where: string, selfIp: string): TailFilter {
  if (!isRecord(filter)) throw wrong(where, 'must be an object', filter)
  const [[kind, value] = [''], ...others] = Object.entries(filter)
  if (others.length > 0) throw wrong(where, 'must have one field', filter)
  const at = `${where}.${kind}`
  switch (kind) {
    case 'sampling_rate':
      if (typeof value === 'number' && value > 0 && value <= 1) return { sampling_rate: value }
      throw wrong(at, 'must be a number above 0, at most 1', value)
    case 'outcome':
      return { outcome: parseList(value, at) }
    case 'method':
      return { method: parseList(value, at).map(method => method.toUpperCase()) }
    case 'client_ip':
      return { client_ip: parseList(value, at).map(ip => (ip === 'self' ? selfIp : ip)) }
    case 'query':
      return { query: parseText(value, at) }
    case 'scriptVersion':
      return { scriptVersion: parseText(value, at) }
    case 'header':
      return { header: parseHeader(value, at) }
    default:
      throw wrong(where, `must be one of ${KINDS}`, filter)
  }
}

function parseHeader(value: unknown, at: string): { key: string; query?: string } {
  if (!isRecord(value)) throw wrong(at, 'must be an object with "key"', value)
  const key = parseText(value.key, `${at}.key`).toLowerCase()
  return value.query === undefined ? { key } : { key, query: parseText(value.query, `${at}.query`) }
}

function parseList(value: unknown, at: string): string[] {
  if (!Array.isArray(value)) throw wrong(at, 'must be an array of strings', value)
  if (value.length > MAX_ITEMS) throw wrong(at, `has at most ${MAX_ITEMS} entries`, value.length)
  return value.map((item, index) => parseText(item, `${at}[${index}]`))
}

function parseText(value: unknown, at: string): string {
  if (typeof value !== 'string') throw wrong(at, 'must be a string', value)
  if (value.length > MAX_CHARS) throw wrong(at, `has at most ${MAX_CHARS} characters`, value.length)
  return value
}

const KINDS = 'sampling_rate, outcome, method, header, client_ip, query, scriptVersion'
const MAX_FILTERS = 20
const MAX_ITEMS = 100
const MAX_CHARS = 1024

function wrong(where: string, rule: string, value: unknown): SkerryError {
  const given = JSON.stringify(value)?.slice(0, 100) ?? 'absent'
  return new SkerryError('ERR_API_BODY', `${where} ${rule}, not ${given}.`)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
