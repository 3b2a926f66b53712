import { WorkerEntrypoint } from 'cloudflare:workers'
import type { EdgeEnv } from '../../src/env.ts'
import { breathe } from '../breath.ts'
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
        if (property !== 'fetch' && HANDLERS.has(property)) return undefined
        const breath = breathe(ctx.props.accountId)
        if (property === 'fetch') {
          if (breath) return (request: Request) => breath.then(() => target().fetch(request))
          return (request: Request) => target().fetch(request)
        }
        const member = Reflect.get(target(), property)
        return breath ? delay(member, breath) : member
      },
    })
  }
}

/** A method or property of a stub, called or read after a breath. Which it is shows only by what is done with it. */
function delay(member: unknown, breath: Promise<unknown>): unknown {
  if (typeof member !== 'function') return member
  return new Proxy(member, {
    apply: (method, self, args) => breath.then(() => Reflect.apply(method, self, args)),
    get(property, name) {
      const value = Reflect.get(property, name)
      return name === 'then' && typeof value === 'function'
        ? (...args: unknown[]) => breath.then(() => Reflect.apply(value, property, args))
        : value
    },
  })
}

function resolveTarget(env: EdgeEnv, ctx: ExecutionContext<ServiceProps>): Fetcher {
  const { accountId, script, entrypoint, props } = ctx.props
  // The upload refuses the name too; this is where it would matter.
  const worker =
    entrypoint === HARNESS_ENTRYPOINT ? undefined : resolveService?.(env, ctx.exports, { accountId, script })
  if (!worker) throw new Error(`Worker "${script}" not found.`)
  return worker.getEntrypoint(entrypoint, props && { props })
}
