import { WorkerEntrypoint } from 'cloudflare:workers'
import type { EdgeEnv } from '../../src/env.ts'
import { HARNESS_ENTRYPOINT, type ServiceProps } from './kind.ts'

/** The deployed isolate of a function; `undefined` when it isn't deployed. Called once a call: cheap, synchronous. */
export type ServiceResolver = (
  env: EdgeEnv,
  exports: Cloudflare.Exports,
  target: { readonly accountId: string; readonly script: string },
) => WorkerStub | undefined

let resolveService: ServiceResolver | undefined

/** Tells service bindings how to find a function: they are below the edge's table, which knows. */
export function setServiceResolver(resolve: ServiceResolver): void {
  resolveService = resolve
}

/**
 * workerd asks every entrypoint instance for these names before it dispatches. Answering from the target
 * would cost a stub each: measured, 260–310 µs a call instead of 157.
 */
const HANDLERS: ReadonlySet<PropertyKey> = new Set([
  'fetch',
  'connect',
  'tail',
  'trace',
  'tailStream',
  'scheduled',
  'queue',
  'email',
  'alarm',
  'test',
  'webSocketMessage',
  'webSocketClose',
  'webSocketError',
  'self',
])

/**
 * A service binding: forwards `fetch` and every method and property to the current version of another
 * function. Promises, pipelining, callbacks and streams pass as they do natively.
 */
export class ServiceEntrypoint extends WorkerEntrypoint<EdgeEnv, ServiceProps> {
  constructor(ctx: ExecutionContext<ServiceProps>, env: EdgeEnv) {
    super(ctx, env)
    const target = () => resolveTarget(env, ctx)
    // biome-ignore lint/correctness/noConstructorReturn: an entrypoint without methods of its own is a Proxy
    return new Proxy(this, {
      get(self, property) {
        if (typeof property === 'symbol' || property === 'constructor') return Reflect.get(self, property)
        if (property === 'fetch') return (request: Request) => target().fetch(request)
        if (HANDLERS.has(property)) return undefined
        return Reflect.get(target(), property)
      },
    })
  }
}

function resolveTarget(env: EdgeEnv, ctx: ExecutionContext<ServiceProps>): Fetcher {
  const { accountId, script, entrypoint, props } = ctx.props
  // The upload refuses the name too; this is where it would matter.
  const worker =
    entrypoint === HARNESS_ENTRYPOINT ? undefined : resolveService?.(env, ctx.exports, { accountId, script })
  if (!worker) throw new Error(`Worker "${script}" not found.`)
  return worker.getEntrypoint(entrypoint, props && { props })
}
