import { WorkerEntrypoint } from 'cloudflare:workers'
import { CLIENT_HEADER } from './core/reserved-headers.ts'
import type { Env } from './env.ts'
import { listen } from './listener.ts'

/**
 * Serves requests of clients whose edge is gone, as the supervisor hands them over: like the listener, but the
 * client's address is what it says. Reachable only on a private socket.
 */
export class Handover extends WorkerEntrypoint<Env> {
  override fetch(request: Request): Promise<Response> {
    const clientIp = request.headers.get(CLIENT_HEADER) ?? ''
    const original = new Request(request, { cf: { clientIp } as RequestInitCfProperties })
    original.headers.delete(CLIENT_HEADER)
    return listen(original, this.env, this.ctx)
  }
}
