import { SkerryError } from '../src/core/errors.ts'
import { LIMITS } from '../src/core/limits.ts'
import type { Binding, StoredBinding } from '../src/core/manifest.ts'
import type { InheritBinding } from '../src/registry/versions.ts'
import { analytics } from './analytics/kind.ts'
import { assets } from './assets/kind.ts'
import type { BindingKind, BindScope, Facade } from './binding.ts'
import { d1 } from './d1/kind.ts'
import { durableObject } from './durable-object/kind.ts'
import { describe, invalidBinding } from './fields.ts'
import { kv } from './kv/kind.ts'
import { dataBlob, textBlob, wasmModule } from './parts.ts'
import { queue } from './queue/kind.ts'
import { r2 } from './r2/kind.ts'
import { rateLimit } from './rate-limit/kind.ts'
import { secretText } from './secrets.ts'
import { service } from './service/kind.ts'
import { json, plainText } from './vars.ts'
import { versionMetadata } from './version-metadata.ts'
import { workflow } from './workflow/kind.ts'

/** Every kind of binding that a function can have, by its `type` in Cloudflare's upload form. */
export const KINDS = {
  plain_text: plainText,
  json,
  secret_text: secretText,
  kv_namespace: kv,
  d1,
  durable_object_namespace: durableObject,
  analytics_engine: analytics,
  assets,
  service,
  version_metadata: versionMetadata,
  ratelimit: rateLimit,
  r2_bucket: r2,
  queue,
  workflow,
  wasm_module: wasmModule,
  text_blob: textBlob,
  data_blob: dataBlob,
} as const satisfies { [T in Binding['type']]: BindingKind<T> }

/** Cloudflare's other kinds: what to do instead. A type in neither table is refused as unknown. */
const UNSUPPORTED: Readonly<Record<string, string>> = {
  agent_memory: 'Keep what an agent remembers in a Durable Object or D1.',
  ai: 'Call a model provider over HTTP with fetch().',
  ai_search: 'Call a search service over HTTP with fetch().',
  ai_search_namespace: 'Call a search service over HTTP with fetch().',
  artifacts: 'Keep files in R2.',
  browser: 'Call a browser service over HTTP with fetch().',
  dispatch_namespace: 'Bind the scripts one by one with service bindings.',
  fetcher: 'Use a service binding.',
  flagship: 'Keep flags in KV, or call a flag service over HTTP with fetch().',
  hyperdrive: 'Use D1, or reach the database over HTTP with fetch().',
  images: 'Call an image service over HTTP with fetch().',
  logfwdr: 'Write logs with console.log() and take them in a tail consumer.',
  media: 'Call a media service over HTTP with fetch().',
  mtls_certificate: 'Put a proxy that holds the certificate in front of the origin.',
  pipelines: 'Send the records to a queue, and write them to R2 in its consumer.',
  secret_key: 'Store the key as a secret and import it with crypto.subtle.importKey().',
  secrets_store_secret: 'Set it as a secret of the script: `wrangler secret put`.',
  send_email: 'Call a mail service over HTTP with fetch().',
  stream: 'Call a media service over HTTP with fetch().',
  tail_consumer: 'Name the consumer in `tail_consumers`.',
  vectorize: 'Keep vectors in D1 and compare them there, or call a vector database over HTTP with fetch().',
  vpc_network: 'Reach the network over HTTP with fetch(); the operator can allow private addresses.',
  vpc_service: 'Reach the service over HTTP with fetch(); the operator can allow private addresses.',
  worker_loader: 'Deploy the code as a script of its own and bind it as a service.',
}

/** A binding as uploaded and checked: secrets are still open, and `inherit` still to be looked up. */
export type ParsedBinding = Binding | InheritBinding

/**
 * Checks the bindings of an upload and keeps the fields that have a meaning.
 *
 * @throws ERR_BINDING_INVALID, ERR_BINDING_UNSUPPORTED; the message names the binding
 */
export function parseBindings(raw: readonly unknown[]): ParsedBinding[] {
  if (raw.length > LIMITS.bindings) {
    throw new SkerryError(
      'ERR_BINDING_INVALID',
      `The upload has ${raw.length} bindings; at most ${LIMITS.bindings} are allowed.`,
    )
  }
  const seen = new Set<string>()
  return raw.map((item, index) => {
    const input = toRecord(item, index)
    const name = parseName(input.name, index)
    if (seen.has(name)) throw invalidBinding(name, 'the name is used twice. Give each binding its own name.')
    seen.add(name)
    return parseBinding(input, name)
  })
}

/**
 * The `env` of a function: what each binding gives, by name. Values are structured-cloneable or loopback stubs.
 *
 * @throws ERR_BINDING_INVALID when a binding can't be made, such as a KV namespace whose keys have no prefix
 */
export function bindEnv(bindings: readonly Binding[], scope: BindScope): Record<string, unknown> {
  const env: Record<string, unknown> = {}
  for (const binding of bindings) {
    const value = kindOf(binding.type).bind(binding, scope)
    if (value !== undefined) env[binding.name] = value
  }
  return env
}

/** The facades that a version's bindings need in its isolate, by the binding's name. */
export function facadesOf(bindings: readonly (Binding | StoredBinding)[]): ReadonlyMap<string, Facade> {
  const facades = bindings.map(({ name, type }) => [name, kindOf(type).facade] as const)
  return new Map(facades.flatMap(([name, facade]) => (facade ? [[name, facade] as const] : [])))
}

/** Every facade there is. */
export const FACADES: readonly Facade[] = Object.values(
  KINDS as unknown as Record<string, BindingKind>,
).flatMap(({ facade }) => facade ?? [])

function parseBinding(input: Readonly<Record<string, unknown>>, name: string): ParsedBinding {
  const { type } = input
  if (typeof type !== 'string')
    throw invalidBinding(name, `\`type\` is ${describe(type)}. Name a kind of binding.`)
  if (type === 'inherit') return { type, name }
  if (Object.hasOwn(KINDS, type)) return kindOf(type as Binding['type']).parse(input, name)
  const instead = Object.hasOwn(UNSUPPORTED, type) ? UNSUPPORTED[type] : undefined
  throw new SkerryError(
    'ERR_BINDING_UNSUPPORTED',
    instead
      ? `Binding "${name}": the type ${type} is not supported by this version of the platform. ${instead}`
      : `Binding "${name}": the type ${describe(type)} is unknown. Known are ${Object.keys(KINDS).join(', ')}.`,
  )
}

/** The table's entries take their own binding only; the caller has looked the entry up by that binding's type. */
function kindOf(type: Binding['type']): BindingKind {
  return (KINDS as Readonly<Record<string, unknown>>)[type] as BindingKind
}

const MAX_NAME_CHARS = 255

function parseName(name: unknown, index: number): string {
  if (typeof name !== 'string' || name === '') {
    throw new SkerryError(
      'ERR_BINDING_INVALID',
      `bindings[${index}]: \`name\` is ${describe(name)}. Give the binding a non-empty name.`,
    )
  }
  if (name.length > MAX_NAME_CHARS) {
    throw invalidBinding(
      `${name.slice(0, 40)}…`,
      `the name has ${name.length} characters; at most ${MAX_NAME_CHARS} are allowed.`,
    )
  }
  // Dashes and dots aren't identifiers, but `env['my-key']` is in use.
  if (!/^[\p{ID_Start}$_][\p{ID_Continue}$.-]*$/u.test(name) || name === '__proto__') {
    throw invalidBinding(
      name,
      'the name is not valid. Start it with a letter, $ or _ and go on with those, digits, - or .',
    )
  }
  return name
}

function toRecord(item: unknown, index: number): Readonly<Record<string, unknown>> {
  if (item !== null && typeof item === 'object' && !Array.isArray(item))
    return item as Record<string, unknown>
  throw new SkerryError(
    'ERR_BINDING_INVALID',
    `bindings[${index}] is ${describe(item)}. It must be an object.`,
  )
}
