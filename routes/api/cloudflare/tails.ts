import { type Context, Hono } from 'hono'
import { clientIpOf } from '../../../src/core/client-ip.ts'
import { SkerryError } from '../../../src/core/errors.ts'
import { LIMITS } from '../../../src/core/limits.ts'
import type { StateEnv } from '../../../src/env.ts'
import { parseTailFilters } from '../../../src/observe/tail-filters.ts'
import type { TailHub } from '../../../src/observe/tail-hub.ts'
import type { Api } from '../context.ts'
import { readJson } from '../json.ts'
import { requireRole } from '../roles.ts'
import { respondResult } from './envelope.ts'

/**
 * Live logs of a script; mounted at `/accounts/:account/workers/scripts/:name/tails`.
 *
 * @see https://developers.cloudflare.com/api/resources/workers/subresources/scripts/subresources/tail/
 */
export const tails = new Hono<Api>()

tails.use(async (c, next) => {
  requireRole(c, 'viewer')
  if (await c.var.account.registry.getScript(nameOf(c))) return next()
  throw new SkerryError('ERR_SCRIPT_NOT_FOUND', 'This Worker does not exist on your account.')
})

tails.post('/', async c => {
  const selfIp = clientIpOf(c.req.raw.cf, c.req.header('cf-connecting-ip'))
  const filters = parseTailFilters(await readJson(c), selfIp)
  const expiresAtMs = Date.now() + LIMITS.tailMs
  const { id, secret } = await hubOf(c).createTail(filters, expiresAtMs)
  await reportReaders(c)
  const url = `${socketBase(c)}/api/v1/tails/${c.var.account.id}/${nameOf(c)}/${id}?secret=${secret}`
  return respondResult(c, { id, url, expires_at: new Date(expiresAtMs).toISOString() })
})

tails.get('/', async c => {
  const list = await hubOf(c).listTails()
  return respondResult(
    c,
    list.map(({ id, expiresAtMs }) => ({ id, expires_at: new Date(expiresAtMs).toISOString() })),
  )
})

/** One that is gone is no error: wrangler drops its connection first and then deletes. */
tails.delete('/:id', async c => {
  await hubOf(c).deleteTail(c.req.param('id'))
  await reportReaders(c)
  return respondResult(c, null)
})

/**
 * Connects a reader to its live log: `/api/v1/tails/<accountId>/<script>/<id>?secret=<secret>`. The address is
 * the credential, because wrangler sends no token along.
 *
 * @throws SkerryError ERR_TAIL_NOT_FOUND, ERR_BAD_REQUEST
 */
export async function openTail(
  request: Request,
  env: StateEnv,
  accountId: string,
  script: string,
  id: string,
): Promise<Response> {
  if (request.headers.get('upgrade')?.toLowerCase() !== 'websocket') {
    throw new SkerryError('ERR_BAD_REQUEST', 'A live log is read over a WebSocket; use `wrangler tail`.')
  }
  const response = await env.TAILS.getByName(`${accountId}/${script}`).fetch(request)
  if (response.status !== 404) return response
  throw new SkerryError(
    'ERR_TAIL_NOT_FOUND',
    `There is no live log "${id}" at this address; it may have ended.`,
  )
}

/** Makes the edges load the script with its logs reported, or without. */
async function reportReaders(c: Context<Api>): Promise<void> {
  await c.var.account.registry.setTailing(nameOf(c), await hubOf(c).activeUntilMs())
}

/** Where the caller reached us, as a WebSocket address. A proxy in front that ends TLS is known by SKERRY_URL. */
function socketBase(c: Context<Api>): string {
  const url = new URL(c.req.url)
  const known = c.env.SKERRY_URL ? URL.parse(c.env.SKERRY_URL) : null
  const { protocol, host } =
    known?.hostname === url.hostname ? { protocol: known.protocol, host: url.host } : url
  return `${protocol === 'https:' ? 'wss:' : 'ws:'}//${host}`
}

function hubOf(c: Context<Api>): DurableObjectStub<TailHub> {
  return c.env.TAILS.getByName(`${c.var.account.id}/${nameOf(c)}`)
}

function nameOf(c: Context<Api>): string {
  return c.req.param('name') ?? ''
}
