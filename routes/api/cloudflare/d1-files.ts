import { type Context, Hono } from 'hono'
import type { ImportState } from '../../../bindings/d1/imports.ts'
import { SkerryError } from '../../../src/core/errors.ts'
import type { Api } from '../context.ts'
import { readJsonObject } from '../json.ts'
import { requireRole } from '../roles.ts'
import { askDatabase, objectName, requireDatabase } from './d1-scope.ts'
import { signTransfer, verifyTransfer } from './d1-transfer.ts'
import { respondResult } from './envelope.ts'

/**
 * Imports and exports of D1 databases as SQL files. Files go to and come from addresses that are credentials for
 * an hour, because wrangler sends no token along. Answers are held while there is nothing to say: wrangler asks
 * again without a pause.
 */
export const d1Files = new Hono<Api>()

d1Files.post('/:database/import', async c => {
  requireRole(c, 'deployer')
  const database = await requireDatabase(c)
  const name = objectName(c, database)
  const { action, etag, current_bookmark } = await readJsonObject(c)
  switch (action) {
    case 'init': {
      const md5 = requireMd5(etag)
      const url = await toUrl(c, 'imports', { name, md5 })
      return respondResult(c, { type: 'import', success: true, filename: `${md5}.sql`, upload_url: url })
    }
    case 'ingest':
      return respondState(c, name, requireMd5(etag), 'POST')
    case 'poll':
      return respondState(c, name, requireMd5(current_bookmark), 'GET')
    default:
      throw new SkerryError('ERR_D1_REQUEST', 'Invalid property: action => use init, ingest or poll.')
  }
})

d1Files.post('/:database/export', async c => {
  const database = await requireDatabase(c)
  const name = objectName(c, database)
  const { dump_options: dump = {} } = await readJsonObject(c)
  await askDatabase(c, name, '/dump?check', { method: 'POST', body: JSON.stringify(dump) })
  const filename = `${database.name}.sql`
  const result = { filename, signed_url: await toUrl(c, 'exports', { name, dump }) }
  return respondResult(c, { type: 'export', success: true, status: 'complete', messages: [], result })
})

/**
 * Takes a file to import. The MD5 that was announced is part of the signed address.
 *
 * @throws ERR_D1_TRANSFER, ERR_D1_QUERY
 */
export async function receiveImport(c: Context<Api>): Promise<Response> {
  const { name, md5 } = await requireTransfer(c, 'imports')
  const stored = await askDatabase(c, stagingName(name, `${md5}`), `/stage?md5=${md5}`, {
    method: 'PUT',
    body: c.req.raw.body ?? '',
  })
  return new Response(null, { headers: { etag: stored.headers.get('etag') ?? '' } })
}

/** Sends an export. @throws ERR_D1_TRANSFER, ERR_D1_QUERY */
export async function sendExport(c: Context<Api>): Promise<Response> {
  const { name, dump } = await requireTransfer(c, 'exports')
  return askDatabase(c, name, '/dump', { method: 'POST', body: JSON.stringify(dump) })
}

async function respondState(
  c: Context<Api>,
  name: string,
  md5: string,
  method: 'GET' | 'POST',
): Promise<Response> {
  const query = new URLSearchParams({ staged: stagingName(name, md5) })
  const answer = await askDatabase(c, name, `/import?${query}`, { method })
  const state = (await answer.json()) as ImportState
  const base = { type: 'import', at_bookmark: md5, messages: [] }
  switch (state.status) {
    case 'active':
    case 'complete':
      return respondResult(c, { ...base, success: true, ...state })
    case 'error':
      return respondResult(c, { ...base, success: false, ...state })
    case 'unknown': {
      const error = 'The import was interrupted, and nothing of the file was applied. Execute it again.'
      return respondResult(c, { ...base, success: false, status: 'error', error })
    }
  }
}

function stagingName(name: string, md5: string): string {
  return `${name}/import/${md5}`
}

const KEPT_MS = 3_600_000

async function toUrl(
  c: Context<Api>,
  kind: 'imports' | 'exports',
  content: { readonly name: string } & Record<string, unknown>,
): Promise<string> {
  const token = await signTransfer({ ...content, kind, untilMs: Date.now() + KEPT_MS }, c.env.MASTER_KEY)
  // Where the caller reached us; a proxy in front that ends TLS is known by SKERRY_URL.
  const url = new URL(`/api/v1/d1/${kind}/${token}`, c.req.url)
  const known = c.env.SKERRY_URL ? URL.parse(c.env.SKERRY_URL) : null
  if (known && known.hostname === url.hostname) url.protocol = known.protocol
  return url.href
}

async function requireTransfer(c: Context<Api>, kind: 'imports' | 'exports') {
  const transfer = await verifyTransfer(c.req.param('token') ?? '', Date.now(), c.env.MASTER_KEY)
  if (transfer?.kind === kind) return transfer
  throw new SkerryError('ERR_D1_TRANSFER', 'The address is not valid, or older than an hour.')
}

function requireMd5(value: unknown): string {
  if (typeof value === 'string' && /^[0-9a-f]{32}$/.test(value)) return value
  throw new SkerryError('ERR_D1_REQUEST', 'Invalid property: etag => the MD5 of the file, 32 hex digits.')
}
