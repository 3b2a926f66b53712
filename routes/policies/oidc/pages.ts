import { ERRORS, type ErrorCode } from '../../../src/core/errors.ts'
import { retryHeaders } from '../../../src/core/problem.ts'
import type { Exchange } from '../exchange.ts'
import { isNavigation } from './return-to.ts'

/** What a page offers to do next. */
export interface Step {
  readonly label: string
  readonly href: string
  /** How it is sent. POST is for what another site must not be able to cause. */
  readonly method?: 'GET' | 'POST'
}

/** A refusal: a small page for who waits for a page, problem JSON for the rest. */
export function refuseWith(
  exchange: Exchange,
  code: ErrorCode,
  detail: string,
  { headers = {}, steps = [] }: { headers?: Record<string, string>; steps?: readonly Step[] } = {},
): Response {
  if (!isNavigation(exchange.request)) return exchange.refuse(code, detail, { ...NOT_KEPT, ...headers })
  const { status } = ERRORS[code]
  return page(
    status,
    TITLES[code] ?? 'That did not work',
    `${detail} (${code}, ${exchange.requestId})`,
    steps,
    {
      'skerry-request-id': exchange.requestId,
      ...retryHeaders(code),
      ...headers,
    },
  )
}

/** A page without anything that a browser would fetch or run. All texts are escaped. */
export function page(
  status: number,
  title: string,
  text: string,
  steps: readonly Step[] = [],
  headers: Record<string, string> = {},
): Response {
  const forms = steps.map(({ label, href, method = 'GET' }) =>
    method === 'POST'
      ? `<form method="post" action="${escapeHtml(href)}"><button>${escapeHtml(label)}</button></form>`
      : `<p><a href="${escapeHtml(href)}">${escapeHtml(label)}</a></p>`,
  )
  const html = `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapeHtml(title)}</title>
<h1>${escapeHtml(title)}</h1>
<p>${escapeHtml(text)}</p>
${forms.join('\n')}
</html>
`
  return new Response(html, {
    status,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
      // Not `no-referrer`: a form of this page would then come from the origin "null".
      'referrer-policy': 'same-origin',
      ...headers,
    },
  })
}

/** Sends a browser elsewhere. What it was asked for before (a code, a state) doesn't travel along as a referrer. */
export function redirectTo(url: string, cookies: readonly string[], status: 302 | 303 = 302): Response {
  return withCookies(new Response(null, { status, headers: { location: url, ...NOT_KEPT } }), cookies)
}

/** Adds `Set-Cookie` lines to an answer of our own. */
export function withCookies(response: Response, cookies: readonly string[]): Response {
  for (const cookie of cookies) response.headers.append('set-cookie', cookie)
  return response
}

/** Headers of answers that are for one person, at one moment. */
export const NOT_KEPT = { 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' } as const

const TITLES: Partial<Record<ErrorCode, string>> = {
  ERR_LOGIN_STATE: 'This login can not go on',
  ERR_LOGIN_FAILED: 'The login failed',
  ERR_ACCESS_REFUSED: 'You have no access',
  ERR_IDENTITY_PROVIDER: 'Logging in is not possible just now',
}

const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, char => `&#${char.charCodeAt(0)};`)
