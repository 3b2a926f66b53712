import { WorkerEntrypoint } from 'cloudflare:workers'
import type { EdgeEnv } from '../../src/env.ts'
import { answer } from './answer.ts'
import { askCloudflare } from './cloudflare.ts'
import { isCountDue, makeRoom } from './quota.ts'
import { type CacheCall, readCall } from './request.ts'
import { type CacheProps, deleteEntry, readEntry, storeKey } from './store.ts'
import { writeResponse } from './write.ts'

/**
 * What a function's `caches` asks: the caches of its script, and no others.
 *
 * GET is `match()`, PUT `put()`, DELETE `delete()`; the arguments are in `request.cf`, which nobody but a Worker can
 * write. A store that is away makes a miss and keeps nothing, as a cache may: only `delete()` says so, with 503.
 */
export class CacheEntrypoint extends WorkerEntrypoint<EdgeEnv, CacheProps> {
  override async fetch(request: Request): Promise<Response> {
    const call = readCall(request, this.ctx.props.readsBrotli)
    if (!call) return new Response('This is none of the calls of a cache.', { status: 400 })
    const { env, ctx } = this
    if (env.SKERRY_HOST_KIND === 'cloudflare') return askCloudflare(ctx.props, call)
    const key = await storeKey(ctx.props, call.key)
    if (call.method === 'DELETE') return remove(env, key)
    if (call.method === 'PUT') return put(env, ctx, key, call)
    const entry = await readEntry(env, key, Date.now()).catch(() => undefined)
    return entry ? answer(entry, call.headers, Date.now()) : new Response(null, { status: 504 })
  }
}

async function remove(env: EdgeEnv, key: string): Promise<Response> {
  try {
    return new Response(null, { status: (await deleteEntry(env, key, Date.now())) ? 200 : 404 })
  } catch {
    return new Response(null, { status: 503 })
  }
}

async function put(
  env: EdgeEnv,
  ctx: ExecutionContext<CacheProps>,
  key: string,
  { response }: Extract<CacheCall, { method: 'PUT' }>,
): Promise<Response> {
  // Natively, too, nobody is told: a cache promises nothing.
  const written = await writeResponse(env, key, response, Date.now()).catch(() => 'refused' as const)
  if (written === 'refused') return new Response(null, { status: 413 })
  if (written === 'broken') return new Response(null, { status: 400 })
  const { accountId } = ctx.props
  if (isCountDue(accountId, written.bytes)) ctx.waitUntil(makeRoom(accountId, env))
  return new Response(null, { status: 204 })
}
