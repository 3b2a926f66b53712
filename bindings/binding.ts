import type { Binding } from '../src/core/manifest.ts'

/** Everything a binding may be made from: it belongs to this function and can name no other. */
export interface BindScope {
  readonly accountId: string
  readonly script: string
  readonly versionId: string
  readonly versionTag: string
  /** ISO 8601, UTC. */
  readonly createdOn: string
  /** Loopback entrypoints of our own Worker, by export name: `exports.KvEntrypoint({ props })`. */
  readonly exports: Cloudflare.Exports
  /** For each KV namespace id of the version, its keys' 8-byte prefix. */
  readonly kvPrefixes: Readonly<Record<string, string>>
  /** The id of the object behind each resource that the version's bindings name, by `<binding type>/<name>`. */
  readonly resources: Readonly<Record<string, string>>
  /** The digest of the document of its static files. */
  readonly assets?: string
  /** A binding of the runtime's own D1 client class, for that class. */
  readonly d1?: unknown
}

/**
 * A prelude module that makes what the function sees out of what `bind` gives, inside its isolate and before its
 * code runs. It exports `create(value, name, env)`.
 */
export interface Facade {
  /** Names the module; kinds with the same name share it. */
  readonly name: string
  /** Text of the module. */
  readonly source: string
}

/**
 * One kind of binding: how its upload form is checked, and what the function gets in `env`.
 *
 * `parse` takes the fields of Cloudflare's upload form, refuses what is wrong with ERR_BINDING_INVALID (the
 * message names binding, field, value and fix) and returns only the known fields. `bind` returns a structured-
 * cloneable value or a loopback stub whose props carry the scope: the function never names a tenant. A kind whose
 * native class can't be had by RPC has a `facade` of it.
 */
export interface BindingKind<T extends Binding['type'] = Binding['type']> {
  readonly type: T
  parse(input: Readonly<Record<string, unknown>>, name: string): Extract<Binding, { type: T }>
  bind(spec: Extract<Binding, { type: T }>, scope: BindScope): unknown
  readonly facade?: Facade
}
