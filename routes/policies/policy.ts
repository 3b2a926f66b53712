import type { GenericSchema, InferInput, InferOutput } from 'valibot'
import type { Exchange } from './exchange.ts'

/** `undefined`: go on. A response: that is the answer, and neither later policies nor the target are asked. */
export type Verdict = Response | undefined

/**
 * What a policy does with each exchange of its routes. It is made once for a route's whole life, so what must
 * outlast an exchange (caches, counters) lives in it.
 *
 * Synchronous wherever possible: a promise that need not be costs more than most policies do.
 */
export interface Phase {
  /** On the way in. */
  request?(exchange: Exchange): Verdict | Promise<Verdict>
  /**
   * On the way out, of every answer that comes from behind it, refusals of later policies included. For header
   * changes alone use `exchange.responseHeaders` in `request` instead.
   */
  response?(response: Response, exchange: Exchange): Response | Promise<Response>
  /** Around all that comes after it, for what may answer without it, or ask it again. `request` and `response` are not used then. */
  around?(exchange: Exchange, next: Next): Response | Promise<Response>
  /** In place of `request` or `around` in a dry run: decides, and notes why, but calls, spends and stores nothing. */
  explain?(exchange: Exchange): Verdict | Promise<Verdict>
  /** Of policies that authenticate: whether the caller has presented what it looks at, right or wrong. */
  isPresented?(exchange: Exchange): boolean
}

/**
 * The rest of the route: later policies and the target. May be called again if the request can be sent again; with
 * another exchange (`exchange.fork()`) in place of the client's, also after the answer.
 */
export type Next = (asked?: Exchange) => Promise<Response>

/** What a policy is made in. */
export interface PolicyContext {
  /** Its name in the gateway file, in a stand-alone Worker its type. Begins the keys of what it shares. */
  readonly name: string
  /** Another policy of the same file, for policies that are made of others. Throws ERR_GATEWAY_FILE if there is none or it would go round in a circle. */
  policy(name: string): Phase
}

/**
 * A type of policy: what may be written in the gateway file, and what it does.
 *
 * `Options` are those that were checked, with their defaults; `Input` is what may be written.
 */
export interface PolicyKind<Options, Input = unknown> {
  /** As in `type = "jwt"`. */
  readonly type: string
  /** One sentence, for the documentation and editors. */
  readonly summary: string
  /** What may stand beside `type`; keys in snake_case. Descriptions of its fields go into the JSON Schema and docs. */
  readonly options: GenericSchema<Input, Options>
  /**
   * Makes its phase. Must not do I/O, take random values or ask the time: stand-alone Workers call it in their global
   * scope, where there is none. Secrets have been put in the place of their references.
   *
   * @throws SkerryError ERR_GATEWAY_FILE for what only now turns out to be wrong
   */
  create(options: Options, context: PolicyContext): Phase
}

/** Keeps the types that a kind's schema has, while checking its shape. */
export function definePolicy<const Schema extends GenericSchema>(kind: {
  readonly type: string
  readonly summary: string
  readonly options: Schema
  create(options: InferOutput<Schema>, context: PolicyContext): Phase
}): PolicyKind<InferOutput<Schema>, InferInput<Schema>> {
  return kind as PolicyKind<InferOutput<Schema>, InferInput<Schema>>
}
