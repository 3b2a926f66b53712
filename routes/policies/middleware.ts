import { safeParse } from 'valibot'
import { SkerryError } from '../../src/core/errors.ts'
import { Exchange } from './exchange.ts'
import type { Identity } from './identity.ts'
import { describeIssue } from './issues.ts'
import { createLocalServices } from './local-services.ts'
import type { Phase, PolicyKind } from './policy.ts'
import { runPolicies, type Target } from './run.ts'
import type { Services } from './services.ts'

/** What policies find out, for later handlers: `c.get('identity')`, `c.get('version')`. */
export interface PolicyVariables {
  /** Who calls, once a policy has found out. */
  identity: Identity | undefined
  /** Which of the versions of `canary` the caller is to get; `undefined` = what is deployed. */
  version: string | undefined
}

/** For `new Hono<PolicyEnv>()`, or `new Hono<PolicyEnv & { Bindings: Env }>()`. */
export interface PolicyEnv {
  Variables: PolicyVariables
}

/**
 * What the middleware needs of a Hono context. By its form, so that it fits every Hono: whatever its `Env`, and also
 * where a project has a Hono of its own beside ours.
 */
export interface MiddlewareContext {
  readonly req: { raw: Request; param(): object }
  res: Response
  finalized: boolean
  readonly executionCtx: { waitUntil(promise: Promise<unknown>): void }
  get(name: never): unknown
  set(name: never, value: never): void
}

/** Hono's middleware. */
export type Middleware = (c: MiddlewareContext, next: () => Promise<void>) => Promise<Response | undefined>

/** Answers in the place of Hono's handlers. */
export type MiddlewareTarget = (request: Request, found: PolicyVariables) => Response | Promise<Response>

/** How a stand-alone Worker may use a policy otherwise than by default. */
export interface MiddlewareSetup {
  /** Its name, where a Worker uses several policies of a type: begins the keys of what they share. Default: the type. */
  readonly name?: string
  /** In place of the isolate's memory, for what should last or be shared. */
  readonly services?: Partial<Services>
  /** The policies that it is made of, by name. */
  readonly policies?: Readonly<Record<string, Phase>>
  /**
   * What is behind it, in the place of the handlers that follow in Hono: those can be asked once for each request,
   * this as often as the policy likes. An app of its own will do: `request => orders.fetch(request)`.
   */
  readonly target?: MiddlewareTarget
}

/** Of a policy that asks what is behind it more than once. */
export interface TargetSetup extends MiddlewareSetup {
  readonly target: MiddlewareTarget
}

/**
 * A policy as Hono middleware: `app.use('/orders/*', jwt({ issuer, audience }))`. Later handlers find who calls
 * in `c.get('identity')`. Options are those of the gateway file, with secrets' texts in the place of references.
 *
 * @throws SkerryError ERR_GATEWAY_FILE, when it is made, for options that are wrong
 */
export function toMiddleware<Options, Input>(
  kind: PolicyKind<Options, Input>,
): (options: Input, setup?: MiddlewareSetup) => Middleware {
  return (options, setup = {}) => {
    const phases = [createPhase(kind, options, setup)]
    const local = createLocalServices()
    return async (c, next) => {
      const variables = c as VariablesOf
      const exchange = new Exchange({
        request: c.req.raw,
        nowMs: Date.now(),
        services: { ...local, ...setup.services, waitUntil: waitUntilOf(c) },
        params: toParams(c.req.param()),
      })
      exchange.identity = variables.get('identity')
      exchange.version = variables.get('version')
      const handlers = new Handlers(c, next)
      const { target } = setup
      const answer = await runPolicies(
        phases,
        exchange,
        target
          ? asked => target(asked.takeRequest(), { identity: asked.identity, version: asked.version })
          : asked => handlers.ask(asked),
      )
      // Hono puts in headers that other middleware has set in advance, as it does for any answer; those of a stored
      // 304 are shared by all who get it.
      if (!handlers.wereAsked) return answer.status === 304 ? new Response(null, answer) : answer
      // But those of the handlers' response are in this answer, unless the policy took them out.
      if (answer !== c.res) replaceResponse(c, answer)
      return undefined
    }
  }
}

/** The same for a policy that asks what is behind it more than once, which Hono's handlers can't be. */
export function toTargetMiddleware<Options, Input>(
  kind: PolicyKind<Options, Input>,
): (options: Input, setup: TargetSetup) => Middleware {
  const make = toMiddleware(kind)
  return (options, setup) => {
    if (typeof setup?.target === 'function') return make(options, setup)
    throw new SkerryError(
      'ERR_GATEWAY_FILE',
      `${kind.type}: it needs a "target", as Hono's handlers can be asked once only: ${kind.type}(options, { target: request => app.fetch(request) }).`,
    )
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

/** A Hono context whose `Env` is a {@link PolicyEnv}. */
interface VariablesOf {
  get<Name extends keyof PolicyVariables>(name: Name): PolicyVariables[Name]
  set<Name extends keyof PolicyVariables>(name: Name, value: PolicyVariables[Name]): void
}

/** Hono's handlers behind a middleware, as a target. */
class Handlers {
  wereAsked = false
  readonly #c: MiddlewareContext
  readonly #next: () => Promise<void>

  constructor(c: MiddlewareContext, next: () => Promise<void>) {
    this.#c = c
    this.#next = next
  }

  ask: Target = async asked => {
    if (this.wereAsked) {
      throw new Error('Hono asks handlers once for each request; give the policy a "target" in its setup.')
    }
    if (asked.isBackground) return this.#askLater(asked)
    this.wereAsked = true
    return this.#ask(asked)
  }

  /** Hono is about to take the answer, and takes no other from the same context as long as it is there. */
  async #askLater(asked: Exchange): Promise<Response> {
    await new Promise(resolve => setTimeout(resolve, 0))
    const c = this.#c
    const given = c.res
    clearResponse(c)
    c.finalized = false
    try {
      return await this.#ask(asked)
    } finally {
      replaceResponse(c, given)
    }
  }

  async #ask(asked: Exchange): Promise<Response> {
    const c = this.#c
    const variables = c as VariablesOf
    c.req.raw = asked.takeRequest()
    variables.set('identity', asked.identity)
    variables.set('version', asked.version)
    await this.#next()
    return c.res
  }
}

/** Hono merges the headers of a response that is there with those of one that is put in its place. */
function replaceResponse(c: MiddlewareContext, response: Response): void {
  clearResponse(c)
  c.res = response
}

function clearResponse(c: MiddlewareContext): void {
  ;(c as { res: Response | undefined }).res = undefined
}

/** Hono has decoded them, policies expect them as in the path. */
function toParams(decoded: object): Readonly<Record<string, string>> {
  const params: Record<string, string> = {}
  for (const [name, value] of Object.entries(decoded)) {
    if (typeof value === 'string') params[name] = encodeURIComponent(value.toWellFormed())
  }
  return params
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
