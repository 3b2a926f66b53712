import { DurableObject } from 'cloudflare:workers'
import { Hono } from 'hono'
import { toEnvelope } from '../../routes/api/cloudflare/envelope.ts'
import { kv } from '../../routes/api/cloudflare/kv.ts'
import type { AccountScope, Api, Role } from '../../routes/api/context.ts'
import { SkerryError, toSkerryError } from '../../src/core/errors.ts'
import * as namespaces from '../../src/registry/kv-namespaces.ts'

/** As much of an account's registry as KV needs. */
export class Registry extends DurableObject {
  readonly #sql = this.ctx.storage.sql

  constructor(ctx: DurableObjectState, env: Cloudflare.Env) {
    super(ctx, env)
    ctx.storage.sql.exec(namespaces.KV_NAMESPACES_SCHEMA)
  }

  createKvNamespace(namespace: Parameters<typeof namespaces.createKvNamespace>[1]) {
    return namespaces.createKvNamespace(this.#sql, namespace)
  }
  listKvNamespaces() {
    return namespaces.listKvNamespaces(this.#sql)
  }
  getKvNamespace(id: string) {
    return namespaces.getKvNamespace(this.#sql, id)
  }
  renameKvNamespace(id: string, title: string) {
    return namespaces.renameKvNamespace(this.#sql, id, title)
  }
  deleteKvNamespace(id: string) {
    return namespaces.deleteKvNamespace(this.#sql, id)
  }
}

/** As much of the directory as KV needs. */
export class DIRECTORY extends DurableObject {
  async allocateKvPrefix(): Promise<string> {
    const next = ((await this.ctx.storage.get<number>('next')) ?? 0) + 1
    await this.ctx.storage.put('next', next)
    return `${String(next).padStart(7, '0')}:`
  }
}

const app = new Hono<Api>()

// In place of tokens: headers say which account and role a request is of.
app.use('/client/v4/accounts/:account/*', async (c, next) => {
  const registries = (c.env as unknown as { Registry: DurableObjectNamespace<Registry> }).Registry
  const registry = registries.getByName(c.req.param('account')) as unknown as AccountScope['registry']
  c.set('account', { id: c.req.param('account'), name: 'test', workersDomain: 'localhost', registry })
  c.set('principal', { tokenId: 't', tokenName: 't', role: (c.req.header('x-role') ?? 'deployer') as Role })
  await next()
})
app.route('/client/v4/accounts/:account/storage/kv/namespaces', kv)
/** All keys of the store, as no one but the operator sees them. */
app.get('/keys', async c => c.json((await c.env.KV.list()).keys.map(({ name }) => name)))
app.onError(error => toEnvelope(toSkerryError(error) ?? new SkerryError('ERR_INTERNAL', String(error))))

export default app
