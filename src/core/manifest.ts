/**
 * What a version is, apart from its modules' bytes: the one shape that upload, registry and runtime share.
 * Bindings keep the field names of Cloudflare's upload form, because `GET settings` must echo them.
 */

/** How workerd is told to load a module. `source-map` is kept for stack traces and never loaded. */
export type ModuleType = 'esm' | 'cjs' | 'text' | 'data' | 'wasm' | 'json' | 'source-map'

/** A module as uploaded; its bytes are in the code store under `digest`. */
export interface ModuleRef {
  /** The part's name, used verbatim by import specifiers. */
  readonly name: string
  readonly type: ModuleType
  /** SHA-256 of the bytes, 64 hex digits. */
  readonly digest: string
  readonly sizeBytes: number
}

export interface PlainTextBinding {
  readonly type: 'plain_text'
  readonly name: string
  readonly text: string
}
export interface JsonBinding {
  readonly type: 'json'
  readonly name: string
  readonly json: unknown
}
/** A secret at rest: AES-GCM under the master key `keyId`. Never leaves the state role in this form. */
export interface SecretBinding {
  readonly type: 'secret_text'
  readonly name: string
  /** base64 of 12 bytes nonce, then ciphertext and tag. */
  readonly ciphertext: string
  readonly keyId: string
}
/** A secret as an edge holds it, in memory only. */
export interface OpenSecretBinding {
  readonly type: 'secret_text'
  readonly name: string
  readonly text: string
}
export interface KvBinding {
  readonly type: 'kv_namespace'
  readonly name: string
  readonly namespace_id: string
}
export interface ServiceBinding {
  readonly type: 'service'
  readonly name: string
  readonly service: string
  readonly entrypoint?: string
  readonly props?: Record<string, unknown>
}
export interface VersionMetadataBinding {
  readonly type: 'version_metadata'
  readonly name: string
}
export interface RateLimitBinding {
  readonly type: 'ratelimit'
  readonly name: string
  readonly namespace_id: string
  readonly simple: { readonly limit: number; readonly period: 10 | 60 }
}
export interface D1Binding {
  readonly type: 'd1'
  readonly name: string
  /** The database's id. */
  readonly id: string
}
export interface R2Binding {
  readonly type: 'r2_bucket'
  readonly name: string
  readonly bucket_name: string
}
export interface QueueBinding {
  readonly type: 'queue'
  readonly name: string
  readonly queue_name: string
  /** Seconds before a message that names no delay of its own can be delivered. */
  readonly delivery_delay?: number
}
export interface DurableObjectBinding {
  readonly type: 'durable_object_namespace'
  readonly name: string
  readonly class_name: string
  /** The script that exports the class; absent = this one. */
  readonly script_name?: string
}
export interface WorkflowBinding {
  readonly type: 'workflow'
  readonly name: string
  readonly workflow_name: string
  readonly class_name: string
  /** The script that exports the class; absent = this one. */
  readonly script_name?: string
}
export interface AnalyticsBinding {
  readonly type: 'analytics_engine'
  readonly name: string
  readonly dataset: string
}
export interface AssetsBinding {
  readonly type: 'assets'
  readonly name: string
}
interface PartOf<T extends string> {
  readonly type: T
  readonly name: string
  /** The module's name. */
  readonly part: string
}
/** A module of the upload as a global of a script in service-worker syntax. */
export type PartBinding = PartOf<'wasm_module'> | PartOf<'text_blob'> | PartOf<'data_blob'>

type CommonBinding =
  | PlainTextBinding
  | JsonBinding
  | KvBinding
  | ServiceBinding
  | VersionMetadataBinding
  | RateLimitBinding
  | D1Binding
  | R2Binding
  | QueueBinding
  | DurableObjectBinding
  | WorkflowBinding
  | AnalyticsBinding
  | AssetsBinding
  | PartBinding
/** A binding as the registry keeps it. */
export type StoredBinding = CommonBinding | SecretBinding
/** A binding as an edge turns it into the isolate's `env`. */
export type Binding = CommonBinding | OpenSecretBinding

/** An export of the main module, seen by really loading it. */
export interface ExportRef {
  /** `default` or the export's name. */
  readonly name: string
  /** `entrypoint`: a WorkerEntrypoint class; `durable-object`, `workflow`: those classes; `handlers`: an object with handlers; `other`: anything else. */
  readonly kind: 'entrypoint' | 'durable-object' | 'workflow' | 'handlers' | 'other'
  /** The handlers it has: `fetch`, `scheduled`, `queue`, … Empty for `other`. */
  readonly handlers: readonly string[]
}

/** What the code mentions, so that the hot path prepares nothing that no one reads. */
export interface Reads {
  /** The code mentions `cf`: requests carry a full `request.cf`. */
  readonly cf: boolean
  /** The code mentions a header that Cloudflare sets (`cf-connecting-ip`, `cf-ray`, `x-real-ip`, …). */
  readonly clientHeaders: boolean
  /** The code mentions `caches`: it gets a Cache API. Absent in versions from before there was one. */
  readonly caches?: boolean
}

/** The code of a version and how to run it: everything but the bindings. */
export interface Program {
  readonly format: 'modules' | 'service-worker'
  readonly mainModule: string
  readonly modules: readonly ModuleRef[]
  /** `YYYY-MM-DD`. */
  readonly compatibilityDate: string
  readonly compatibilityFlags: readonly string[]
}

/** How paths of HTML files end: Cloudflare's four ways. */
export type HtmlHandling = 'auto-trailing-slash' | 'force-trailing-slash' | 'drop-trailing-slash' | 'none'

/** What is served where there is no file. */
export type NotFoundHandling = 'single-page-application' | '404-page' | 'none'

/** How static files are served, as an upload says it. Its `_headers` and `_redirects` are in the document. */
export interface AssetsConfig {
  readonly html_handling?: HtmlHandling
  readonly not_found_handling?: NotFoundHandling
  /** Requests that the Worker gets before files are looked at: all, or those whose path fits a pattern. */
  readonly run_worker_first?: boolean | readonly string[]
  readonly base_path?: string
}

/** The static files of a version. */
export interface AssetsRef {
  /** Of the document that has them all and how they are served, in the code store: SHA-256, 64 hex digits. */
  readonly digest: string
  readonly config: AssetsConfig
}

/** An immutable version. Without code, only files: its main module is the empty text. */
export interface Manifest extends Program {
  readonly bindings: readonly StoredBinding[]
  readonly exports: readonly ExportRef[]
  readonly reads: Reads
  readonly startupTimeMs: number
  /** The longest synchronous turn that its project asks for (`limits.cpu_ms`), in milliseconds: see `turnLimit`. */
  readonly turnMs?: number
  readonly assets?: AssetsRef
}

/** What an edge needs to make a version's isolate; fetched once per version and kept in memory. */
export interface LoadableVersion extends Program {
  readonly versionId: string
  readonly versionTag: string
  /** ISO 8601, UTC, microseconds. */
  readonly createdOn: string
  readonly bindings: readonly Binding[]
  readonly exports: readonly ExportRef[]
  /** For each KV binding's namespace id: the 8-byte prefix of its keys in the store. */
  readonly kvPrefixes: Readonly<Record<string, string>>
  /** What its bindings name, as `<binding type>/<name>`, and the id of the object behind each. */
  readonly resources: Readonly<Record<string, string>>
  /** The digest of its static files' document. */
  readonly assets?: string
  readonly reads: Reads
}
