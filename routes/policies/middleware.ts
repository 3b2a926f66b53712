import { type GenericSchema, type InferInput, safeParse } from 'valibot'
import { SkerryError } from '../../src/core/errors.ts'
import { Exchange } from './exchange.ts'
import type { Identity } from './identity.ts'
import { describeIssue } from './issues.ts'
import { createLocalServices } from './local-services.ts'
import type { Phase, PolicyKind } from './policy.ts'
import { runPolicies } from './run.ts'
import type { Services } from './services.ts'

/** What the middleware needs of a Hono context; any framework whose context has these will do. */
export interface MiddlewareContext {
  readonly req: { raw: Request }
  res: Response
  readonly executionCtx: { waitUntil(promise: Promise<unknown>): void }
  get(name: 'identity'): Identity | undefined
  set(name: 'identity', value: Identity | undefined): void
}

/** Hono's middleware. */
export type Middleware = (c: MiddlewareContext, next: () => Promise<void>) => Promise<Response | undefined>

/** How a stand-alone Worker may use a policy otherwise than by default. */
export interface MiddlewareSetup {
  /** Its name, where a Worker uses several policies of a type: begins the keys of what they share. Default: the type. */
  readonly name?: string
  /** In place of the isolate's memory, for what should last or be shared. */
  readonly services?: Partial<Services>
  /** The policies that it is made of, by name. */
  readonly policies?: Readonly<Record<string, Phase>>
}

/**
 * A policy as Hono middleware: `app.use('/orders/*', jwt({ issuer, audience }))`. Later handlers find who calls
 * in `c.get('identity')`. Options are those of the gateway file, with secrets' texts in the place of references.
 *
 * @throws SkerryError ERR_GATEWAY_FILE, when it is made, for options that are wrong
 */
export function toMiddleware<Options>(
  kind: PolicyKind<Options>,
): (options: InferInput<GenericSchema<Options>>, setup?: MiddlewareSetup) => Middleware {
  return (options, setup = {}) => {
    const phases = [createPhase(kind, options, setup)]
    const local = createLocalServices()
    return async (c, next) => {
      const services = { ...local, ...setup.services, waitUntil: waitUntilOf(c) }
      const exchange = new Exchange({ request: c.req.raw, nowMs: Date.now(), services })
      exchange.identity = c.get('identity')
      const answer = await runPolicies(phases, exchange, async () => {
        c.req.raw = exchange.takeRequest()
        c.set('identity', exchange.identity)
        await next()
        return c.res
      })
      if (answer === c.res)
        return undefined
        // Hono merges the headers of the response that it has with those of one that is set, unless it has none.
      ;(c as { res: Response | undefined }).res = undefined
      c.res = answer
      return undefined
    }
  }
}

/** A policy's phase, for use outside of the platform. @throws SkerryError ERR_GATEWAY_FILE */
export function createPhase<Options>(
  kind: PolicyKind<Options>,
  options: unknown,
  { name = kind.type, policies = {} }: MiddlewareSetup = {},
): Phase {
  const parsed = safeParse(kind.options, options)
  if (!parsed.success) {
    throw new SkerryError('ERR_GATEWAY_FILE', `${kind.type}: ${describeIssue(parsed.issues[0])}`)
  }
  const policy = (wanted: string): Phase => {
    const found = Object.hasOwn(policies, wanted) ? policies[wanted] : undefined
    if (found) return found
    throw new SkerryError('ERR_GATEWAY_FILE', `${kind.type}: there is no policy "${wanted}" in "policies".`)
  }
  return kind.create(parsed.output, { name, policy })
}

/** Hono throws where there is no execution context, as in unit tests. */
function waitUntilOf(c: MiddlewareContext): Services['waitUntil'] {
  return promise => {
    try {
      c.executionCtx.waitUntil(promise)
    } catch {
      void promise.catch(() => {})
    }
  }
}
