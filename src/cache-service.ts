import type { CacheService, StoredBytes } from '../routes/policies/services.ts'
import type { Purge } from './core/gateway.ts'
import { sha256Hex } from './core/ids.ts'
import { purgesAfter } from './edge-purges.ts'
import type { EdgeEnv } from './env.ts'
import { askState } from './roles.ts'
import { createFetchLocks } from './services.ts'

type Context = Pick<ExecutionContext, 'waitUntil' | 'exports'>

/**
 * What caches of different edges share, for one exchange: the state role's locks, and the KV store for responses.
 * Keys are as long as URLs, which theirs may not be: each goes by its digest.
 */
export function createCacheService(accountId: string, env: EdgeEnv, ctx: Context): CacheService {
  return new PlatformCache(accountId, env, ctx)
}

/** A class, as one is made for each exchange, and most ask it nothing. */
class PlatformCache implements CacheService {
  readonly scope: string
  readonly knowsRawBodies = true
  readonly #env: EdgeEnv
  readonly #ctx: Context

  constructor(accountId: string, env: EdgeEnv, ctx: Context) {
    this.scope = accountId
    this.#env = env
    this.#ctx = ctx
  }

  async begin(key: string): Promise<{ isFetcher: boolean; handle: string }> {
    return createFetchLocks(this.scope, this.#env, this.#ctx).begin(await sha256Hex(key))
  }

  async renew(key: string, handle: string): Promise<void> {
    await createFetchLocks(this.scope, this.#env, this.#ctx).renew(await sha256Hex(key), handle)
  }

  async done(key: string, handle: string): Promise<void> {
    await createFetchLocks(this.scope, this.#env, this.#ctx).done(await sha256Hex(key), handle)
  }

  async read(key: string): Promise<StoredBytes | undefined> {
    const packed = await this.#env.KV.get(await this.#nameOf(key), 'arrayBuffer')
    return packed ? unpack(new Uint8Array(packed)) : undefined
  }

  async write(key: string, stored: StoredBytes, ttlSeconds: number): Promise<void> {
    await this.#env.KV.put(await this.#nameOf(key), pack(stored), { expirationTtl: ttlSeconds })
  }

  /** Where edges are processes of this machine; one alone has no other, and on Cloudflare none can be reached. */
  async forget(keys: readonly string[]): Promise<void> {
    if (!this.#env.STATE) return
    await askState(this.#env, this.#ctx.exports, state => state.forgetCached(keys))
  }

  purgesSince(sequence: number): readonly Purge[] {
    return purgesAfter(this.scope, sequence)
  }

  async #nameOf(key: string): Promise<string> {
    return `${PREFIX}${this.scope}:${await sha256Hex(key)}`
  }
}

/** Functions' namespaces have prefixes of digits, so none begins so. */
const PREFIX = '~cache~:'

/** Four bytes with the length of what follows, which is JSON, then the body: a store's own metadata are too small. */
function pack({ meta, body }: StoredBytes): Uint8Array<ArrayBuffer> {
  const head = new TextEncoder().encode(meta)
  const packed = new Uint8Array(4 + head.byteLength + body.byteLength)
  new DataView(packed.buffer).setUint32(0, head.byteLength)
  packed.set(head, 4)
  packed.set(body, 4 + head.byteLength)
  return packed
}

function unpack(packed: Uint8Array<ArrayBuffer>): StoredBytes | undefined {
  if (packed.byteLength < 4) return undefined
  const end = 4 + new DataView(packed.buffer).getUint32(0)
  if (end > packed.byteLength) return undefined
  return { meta: new TextDecoder().decode(packed.subarray(4, end)), body: packed.slice(end) }
}
