import { DurableObject } from 'cloudflare:workers'
import { createApiKeySecret } from '../../src/core/api-key-text.ts'
import { LIMITS } from '../../src/core/limits.ts'
import type { Account } from '../../src/registry/account.ts'
import {
  API_KEYS_SCHEMA,
  insertApiKey,
  listApiKeysSince,
  type NewApiKey,
} from '../../src/registry/api-keys.ts'

export { Edge } from '../../src/edge.ts'
export { Account } from '../../src/registry/account.ts'
export { State } from '../../src/state.ts'

/** The table alone, to fill it in one transaction. */
export class Keys extends DurableObject {
  async fill(fields: NewApiKey): Promise<string> {
    const { sql } = this.ctx.storage
    sql.exec(API_KEYS_SCHEMA)
    const secrets = await Promise.all(Array.from({ length: LIMITS.apiKeys + 1 }, createApiKeySecret))
    try {
      for (const [i, secret] of secrets.entries()) insertApiKey(sql, fields, secret, i + 1, 0)
      return 'no limit'
    } catch (error) {
      return String(error)
    }
  }

  all() {
    return listApiKeysSince(this.ctx.storage.sql, 0)
  }
}

interface Env {
  readonly ACCOUNT: DurableObjectNamespace<Account>
  readonly KEYS: DurableObjectNamespace<Keys>
}

/** Calls a method of the account, or fills a table to its limit. */
export default {
  async fetch(request, env) {
    if (new URL(request.url).pathname === '/fill') {
      const keys = env.KEYS.getByName('k')
      const error = await keys.fill(await request.json())
      const all = await keys.all()
      return Response.json({ error, count: all.length, bytes: JSON.stringify(all).length })
    }
    const [method, ...args] = await request.json<[string, ...unknown[]]>()
    const account = env.ACCOUNT.getByName('a') as unknown as Record<string, (...args: unknown[]) => unknown>
    try {
      return Response.json({ value: await account[method]?.(...args) })
    } catch (error) {
      return Response.json({ error: String(error) })
    }
  },
} satisfies ExportedHandler<Env>
