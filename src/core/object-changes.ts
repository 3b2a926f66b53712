/** What an upload says about its Durable Object classes: one migration after another, or the state they shall be in. */
export type ObjectChanges =
  | { readonly kind: 'migrations'; readonly migrations: Migrations }
  | { readonly kind: 'exports'; readonly exports: ObjectExports }

/** Migrations that the script hasn't had yet. */
export interface Migrations {
  /** The tag of the last one that it had; absent = none. */
  readonly oldTag?: string
  readonly newTag?: string
  readonly steps: readonly MigrationStep[]
}

/** One migration; its parts apply in this order. */
export interface MigrationStep {
  readonly deleted: readonly string[]
  readonly renamed: readonly { readonly from: string; readonly to: string }[]
  readonly transferred: readonly { readonly from: string; readonly fromScript: string; readonly to: string }[]
  readonly created: readonly string[]
  readonly createdSqlite: readonly string[]
}

/** `legacy-kv` classes are kept in SQLite too, and get no SQL API on Cloudflare. */
export type ObjectStorage = 'sqlite' | 'legacy-kv'

/** The state that classes shall be in, by name. */
export type ObjectExports = Readonly<Record<string, ObjectExport>>

export type ObjectExport =
  | { readonly state: 'created'; readonly storage: ObjectStorage }
  | { readonly state: 'deleted' }
  | { readonly state: 'renamed'; readonly renamedTo: string }
  | { readonly state: 'transferred'; readonly transferredTo: string }
  | { readonly state: 'expecting-transfer'; readonly storage: ObjectStorage; readonly transferFrom: string }

/** What was done to bring classes into the state that an upload wants; the names are Cloudflare's. */
export interface ExportsReport {
  created: string[]
  updated: string[]
  deleted: string[]
  renamed: { from: string; to: string }[]
  transferred: { class: string; to: string; phase: 'committed' }[]
  transfer_pending: { class: string; from: string }[]
  warnings: ExportsRemark[]
  info: ExportsRemark[]
  removable_entries: string[]
}

/** One class about which there is something to say, or (`suggestion`) to correct. */
export interface ExportsRemark {
  readonly class: string
  readonly scenario: string
  readonly message: string
  readonly suggestion?: string
  readonly namespace_id?: string
  readonly referencing_scripts?: readonly string[]
}
