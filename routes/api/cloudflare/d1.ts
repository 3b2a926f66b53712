import { Hono } from 'hono'
import { SkerryError } from '../../../src/core/errors.ts'
import { createHexId } from '../../../src/core/ids.ts'
import type { ResourceRecord } from '../../../src/registry/resources.ts'
import { timestamp } from '../../../src/registry/schema.ts'
import type { Api } from '../context.ts'
import { readJsonObject } from '../json.ts'
import { requireRole } from '../roles.ts'
import { d1Files } from './d1-files.ts'
import { askDatabase, objectName, requireDatabase } from './d1-scope.ts'
import { paginate, respondResult } from './envelope.ts'

/**
 * D1 databases. Mounted at `/accounts/:account/d1/database`. Where Cloudflare takes a database's id, its name does
 * too.
 *
 * @see https://developers.cloudflare.com/api/resources/d1/
 */
export const d1 = new Hono<Api>()

const MAX_PER_PAGE = 10_000

d1.get('/', async c => {
  const name = c.req.query('name')
  const databases = await c.var.account.registry.listResources('d1')
  const named = name ? databases.filter(database => database.name.includes(name)) : databases
  const { items, info } = paginate(c, named, MAX_PER_PAGE)
  return respondResult(c, items.map(toDatabase), info)
})

d1.post('/', async c => {
  requireRole(c, 'deployer')
  const name = requireName(await readJsonObject(c))
  const { registry } = c.var.account
  if (await registry.findResource('d1', name)) throw nameTaken()
  const database: ResourceRecord = {
    kind: 'd1',
    id: crypto.randomUUID(),
    name,
    object: createHexId(),
    created_on: timestamp(Date.now()),
  }
  const created = await registry.createResource(database).catch(error => {
    throw String(error).includes('ERR_RESOURCE_TAKEN') ? nameTaken() : error
  })
  return respondResult(c, { ...toDatabase(created), ...REPLICATION, file_size: 0, num_tables: 0 })
})

d1.get('/:database', async c => {
  const database = await requireDatabase(c)
  const fields = c.req.query('fields')?.split(',')
  // Who asks for the name only needn't wake the database.
  const isLight = fields?.every(field => Object.hasOwn(toDatabase(database), field))
  const info = isLight ? {} : await (await askDatabase(c, objectName(c, database), '/info')).json<object>()
  const all: Record<string, unknown> = { ...toDatabase(database), ...REPLICATION, ...info }
  return respondResult(
    c,
    fields ? Object.fromEntries(fields.flatMap(key => (key in all ? [[key, all[key]]] : []))) : all,
  )
})

d1.delete('/:database', async c => {
  requireRole(c, 'deployer')
  const database = await requireDatabase(c)
  // First what can be repeated: a database that is still listed can be deleted again.
  await askDatabase(c, objectName(c, database), '/erase', { method: 'POST' })
  await c.var.account.registry.deleteResource('d1', database.id)
  return respondResult(c, null)
})

/** Statements as a batch in one transaction: `/query` answers rows as objects, `/raw` as arrays. */
for (const [path, format] of [
  ['query', 'objects'],
  ['raw', 'arrays'],
] as const) {
  d1.post(`/:database/${path}`, async c => {
    requireRole(c, 'deployer')
    const database = await requireDatabase(c)
    const { body } = c.req.raw
    const init = { method: 'POST', body }
    const answer = await askDatabase(c, objectName(c, database), `/api?format=${format}`, init)
    return respondWithin(answer)
  })
}

d1.get('/:database/time_travel/bookmark', async c => {
  const database = await requireDatabase(c)
  const timestamp = c.req.query('timestamp')
  const query = timestamp ? `?${new URLSearchParams({ timestamp })}` : ''
  const answer = await askDatabase(c, objectName(c, database), `/bookmark${query}`)
  return respondResult(c, await answer.json())
})

d1.post('/:database/time_travel/restore', async c => {
  requireRole(c, 'deployer')
  const database = await requireDatabase(c)
  const { bookmark = '', timestamp = '' } = c.req.query()
  const query = new URLSearchParams({ bookmark, timestamp })
  const answer = await askDatabase(c, objectName(c, database), `/restore?${query}`, { method: 'POST' })
  return respondResult(c, { ...(await answer.json<object>()), message: 'Database restored.' })
})

d1.route('/', d1Files)

// There is one copy of a database.
const REPLICATION = { read_replication: { mode: 'disabled' } }

/** A database as Cloudflare's API shows it in a list: what the registry knows. */
export function toDatabase({ id, name, created_on }: ResourceRecord) {
  return {
    uuid: id,
    name,
    created_at: created_on,
    version: 'production',
  }
}

/** The database's answer in the envelope, unread: it may be large. */
function respondWithin(answer: Response): Response {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
  void (async () => {
    const head = writable.getWriter()
    await head.write(HEAD)
    head.releaseLock()
    await answer.body?.pipeTo(writable, { preventClose: true })
    const tail = writable.getWriter()
    await tail.write(TAIL)
    await tail.close()
  })().catch(() => {})
  return new Response(readable, { headers: { 'content-type': 'application/json' } })
}

const HEAD = new TextEncoder().encode('{"success":true,"errors":[],"messages":[],"result":')
const TAIL = new TextEncoder().encode('}')

const MAX_NAME_CHARS = 255

function requireName({ name }: Readonly<Record<string, unknown>>): string {
  if (
    typeof name === 'string' &&
    /^[A-Za-z0-9_][A-Za-z0-9_-]*$/.test(name) &&
    name.length <= MAX_NAME_CHARS
  ) {
    return name
  }
  const found = typeof name === 'string' ? JSON.stringify(name.slice(0, 80)) : `${JSON.stringify(name)}`
  throw new SkerryError(
    'ERR_D1_NAME',
    `Invalid property: name => ${found}: use 1 to ${MAX_NAME_CHARS} letters, digits, dashes and underscores, not beginning with a dash.`,
  )
}

function nameTaken(): SkerryError {
  return new SkerryError('ERR_D1_NAME_TAKEN', 'A database with that name already exists')
}
