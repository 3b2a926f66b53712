import type { Exchange } from '../policies/exchange.ts'
import type { GatewayRoute } from './document.ts'
import { addQuery, expandTemplate, type Params } from './template.ts'

/** `redirect` of a route, in its short or long form. */
export type RedirectOptions = NonNullable<GatewayRoute['redirect']>
/** `respond` of a route. */
export type RespondOptions = NonNullable<GatewayRoute['respond']>

/**
 * Sends the caller elsewhere: `308` unless the route says otherwise.
 *
 * `:name`s and `*` are put in, undecoded. Whatever they hold, the place stays on the host that the route names, or, where
 * it names a path only, on the host that was asked: `/go/*` to `/*` never leads from `/go//evil.example` to
 * `//evil.example`. A parameter in the place of a host may hold letters, digits and dashes only.
 *
 * @returns ERR_BAD_REQUEST where a parameter can't be put in
 */
export function respondRedirect(
  options: RedirectOptions,
  exchange: Exchange,
  params: Params = exchange.params,
): Response {
  const { to, status = 308, keep_query = true } = typeof options === 'string' ? { to: options } : options
  const location = toLocation(to, params, keep_query ? exchange.url.search : '')
  if (location === undefined) {
    return exchange.refuse('ERR_BAD_REQUEST', 'The path holds characters that the redirect can not take.')
  }
  return new Response(null, { status, headers: { location } })
}

/** The answer that is written in the gateway file: the same to everybody, without a body where HTTP has none. */
export function respondFixed({ status = 200, headers = {}, body = '' }: RespondOptions): Response {
  const sent = new Headers(headers)
  if (body !== '' && !sent.has('content-type')) sent.set('content-type', 'text/plain;charset=UTF-8')
  return new Response(BODILESS.has(status) ? null : body, { status, headers: sent })
}

/** Where a redirect leads: absolute if the template is, else a path. `undefined` = it would lead elsewhere. */
function toLocation(template: string, params: Params, search: string): string | undefined {
  const [, origin = '', rest = template] = /^(https?:\/\/[^/?#]*)(.*)$/is.exec(template) ?? []
  const authority = expandAuthority(origin, params)
  if (authority === undefined) return undefined

  const hash = rest.indexOf('#')
  const path = addQuery(expandTemplate(hash < 0 ? rest : rest.slice(0, hash), params), search)
  const fragment = hash < 0 ? '' : expandTemplate(rest.slice(hash), params)
  // A slash or backslash after the first one would begin the name of a host.
  const rooted = origin === '' ? path.replace(/^[/\\]*/, '/') : path
  const base = authority || ORIGIN
  const url = URL.parse(`${base}${rooted}${fragment}`)
  if (url?.origin !== URL.parse(base)?.origin || !url) return undefined
  return origin === '' ? url.href.slice(url.origin.length) : url.href
}

/** Scheme and host, their parameters put in; `undefined` if one of those could end the host. */
function expandAuthority(origin: string, params: Params): string | undefined {
  if (origin === '') return ''
  const [scheme = '', host = ''] = origin.split('//')
  const isSafe = [...host.matchAll(/:([A-Za-z_]\w*)|\*/g)].every(([, name = '*']) =>
    /^[A-Za-z0-9-]+$/.test(params[name] ?? ''),
  )
  return isSafe ? `${scheme}//${expandTemplate(host, params)}` : undefined
}

/** In the place of the host that was asked, which a redirect to a path doesn't name. */
const ORIGIN = 'http://redirect.invalid'

/** Statuses whose responses have no body. */
const BODILESS: ReadonlySet<number> = new Set([204, 205, 304])
