import { WorkerEntrypoint } from 'cloudflare:workers'
import type { EdgeEnv } from '../../src/env.ts'
import { breathe } from '../breath.ts'
import { callObject, fetchObject, hasObjects } from './call.ts'
import { throwFailure } from './failures.ts'
import {
  checkPath,
  decodeHeader,
  encodeHeader,
  type NamespaceProps,
  OBJECT_HEADER,
  SENT_HEADER,
  toTarget,
} from './target.ts'

/**
 * A namespace of Durable Objects, as its facade (facade.prelude.js) calls it from the function's isolate. Hands
 * calls on to the objects role: whatever the function says, it reaches objects of its namespace only.
 */
export class DurableObjectEntrypoint extends WorkerEntrypoint<EdgeEnv, NamespaceProps> {
  /** Calls a method of an object, or reads a property where there are no arguments. */
  async callObject(address: unknown, path: unknown, args?: unknown): Promise<unknown> {
    const found = toTarget(this.ctx.props, address)
    const target = found instanceof Promise ? await found : found
    const names = checkPath(path)
    if (args !== undefined && !Array.isArray(args)) throw new TypeError('Arguments must be an array.')
    const breath = this.#breathe()
    if (breath) await breath
    return callObject(this.env, this.ctx, target, names, args)
  }

  /** Only where the call stays in this process: another one is I/O by itself. */
  #breathe(): Promise<unknown> | undefined {
    return hasObjects(this.env) ? breathe(this.ctx.props.accountId) : undefined
  }

  /** Sends a request to the object that its header names. */
  override async fetch(request: Request): Promise<Response> {
    const target = await toTarget(this.ctx.props, decodeHeader(request.headers.get(OBJECT_HEADER)))
    const breath = this.#breathe()
    if (breath) await breath
    const forwarded = new Request(request)
    forwarded.headers.set(OBJECT_HEADER, encodeHeader(target))
    const sent = { cf: request.cf ?? null, host: request.headers.get('host') }
    forwarded.headers.set(SENT_HEADER, encodeHeader(sent))
    return throwFailure(await fetchObject(this.env, this.ctx, target, forwarded))
  }
}
