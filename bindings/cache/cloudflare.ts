import { sha256Hex } from '../../src/core/ids.ts'
import type { CacheCall } from './request.ts'
import type { CacheProps } from './store.ts'
import { unmark } from './unmark.ts'

/**
 * The same calls on Cloudflare, where the platform is a Worker with caches of its own: each cache of a function is
 * one of them, by a name that no other function's has.
 */
export async function askCloudflare({ accountId, script }: CacheProps, call: CacheCall): Promise<Response> {
  const { name, url } = call.key
  // Names are as long as the platform's own may be.
  const cache = await caches.open(`${accountId}/${script}/${name && (await sha256Hex(name))}`)
  switch (call.method) {
    case 'GET':
      return (
        (await cache.match(new Request(url, { headers: call.headers }))) ??
        new Response(null, { status: 504 })
      )
    case 'DELETE':
      return new Response(null, { status: (await cache.delete(url)) ? 200 : 404 })
    case 'PUT': {
      const { status, headers, isPersonal, body: sent, isMarked } = call.response
      const body = sent && isMarked ? unmark(sent, Number.POSITIVE_INFINITY, undefined, () => {}) : sent
      const request = new Request(url, { headers: isPersonal ? { authorization: '' } : {} })
      await cache.put(request, new Response(body, { status, headers }))
      return new Response(null, { status: 204 })
    }
  }
}
