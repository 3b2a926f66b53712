import type { Context } from 'hono'
import { SkerryError } from '../../../src/core/errors.ts'
import { directory } from '../../../src/registry/stubs.ts'
import { hashToken } from '../../../src/registry/tokens.ts'
import type { Api } from '../context.ts'
import { toPlainText } from './first-page-text.ts'
import { toHtml } from './first-page-view.ts'
import { readOverview } from './overview.ts'
import { endSession, startSession } from './session.ts'

/** The apex's page: HTML for browsers, plain text for everything else. */
export async function respondFirstPage(c: Context<Api>): Promise<Response> {
  const overview = await readOverview(c)
  const status = overview.isHealthy ? 200 : 503
  c.header('cache-control', 'no-store')
  c.header('vary', 'accept, cookie, authorization')
  if (!c.req.header('accept')?.includes('text/html')) return c.text(toPlainText(overview), status)
  return respondHtml(c, status, nonce => toHtml(overview, nonce))
}

/** Signs a browser in by the page's form, if the token is known. A wrong one gets the page again, and says so. */
export async function signIn(c: Context<Api>): Promise<Response> {
  refuseForeignOrigin(c)
  const token = (await readForm(c)).get('token')?.trim() ?? ''
  const hash = await hashToken(token)
  if (!(await directory(c.env).authenticate(hash))) {
    const overview = { ...(await readOverview(c)), viewer: undefined }
    const problem = token ? 'This token is not known here.' : 'Enter a token.'
    return respondHtml(c, 401, nonce => toHtml(overview, nonce, problem))
  }
  await startSession(c, hash)
  return c.redirect('/', 303)
}

/** Signs the browser out. */
export function signOut(c: Context<Api>): Response {
  refuseForeignOrigin(c)
  endSession(c)
  return c.redirect('/', 303)
}

/**
 * Forms of other sites can't sign a browser in or out. SameSite alone would not do: functions live on
 * subdomains, which are the same site.
 */
function refuseForeignOrigin(c: Context<Api>): void {
  const origin = URL.parse(c.req.header('origin') ?? '')
  // Not the scheme: a proxy in front may end TLS.
  if (origin && origin.host === new URL(c.req.url).host) return
  throw new SkerryError(
    'ERR_FORBIDDEN',
    `This form was sent from ${origin?.origin ?? 'nowhere'}; it must be sent from the first page itself.`,
  )
}

async function readForm(c: Context<Api>): Promise<URLSearchParams> {
  const length = Number(c.req.header('content-length'))
  if (length <= MAX_FORM_BYTES) return new URLSearchParams(await c.req.text())
  throw new SkerryError(
    'ERR_BODY_TOO_LARGE',
    `The form must say its length, at most ${MAX_FORM_BYTES} bytes.`,
  )
}

/** A token is 47 bytes; operators choose longer ones. Anyone may send this form, so it must not be large. */
const MAX_FORM_BYTES = 4096

async function respondHtml(
  c: Context<Api>,
  status: 200 | 401 | 503,
  render: (nonce: string) => string | Promise<string>,
): Promise<Response> {
  const nonce = crypto.randomUUID()
  const own = `'nonce-${nonce}'`
  c.header('cache-control', 'no-store')
  c.header(
    'content-security-policy',
    `default-src 'none'; script-src ${own}; style-src ${own}; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
  )
  c.header('x-content-type-options', 'nosniff')
  // Not no-referrer: browsers would then send the forms with `Origin: null`.
  c.header('referrer-policy', 'same-origin')
  return c.html(await render(nonce), status)
}
