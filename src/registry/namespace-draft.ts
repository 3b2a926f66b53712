import { SkerryError } from '../core/errors.ts'
import type { ExportRef } from '../core/manifest.ts'
import type { ExportsReport, ObjectStorage } from '../core/object-changes.ts'
import type { NamespaceRecord, PendingTransfer } from './object-namespaces.ts'

/** What is known when an upload changes classes. */
export interface NamespaceContext {
  readonly script: string
  /** What the new version exports. */
  readonly exports: readonly ExportRef[]
  /** Every namespace of the account. */
  readonly namespaces: readonly NamespaceRecord[]
  readonly transfers: readonly PendingTransfer[]
  /** The script's last migration; `null` = none. */
  readonly tag: string | null
  /** Classes of this script that the new version binds. */
  readonly bound: readonly string[]
  /** The account has a script of this name. */
  hasScript(name: string): boolean
  /** Other scripts whose deployed versions bind a namespace. */
  boundBy(namespaceId: string): readonly string[]
  createId(): string
  /** ISO 8601, UTC, microseconds. */
  readonly now: string
}

/** What becomes of the account's namespaces. */
export interface NamespacePlan {
  readonly namespaces: readonly NamespaceRecord[]
  readonly transfers: readonly PendingTransfer[]
  readonly tag: string | null
  /** For uploads that declare their classes. */
  readonly report?: ExportsReport
}

/** The most namespaces that an account can have, as on Cloudflare. */
export const MAX_NAMESPACES = 500

/** The account's namespaces while an upload changes them; nothing of it is in force. */
export class NamespaceDraft {
  readonly #byName = new Map<string, NamespaceRecord>()
  readonly #context: NamespaceContext

  constructor(context: NamespaceContext) {
    this.#context = context
    for (const record of context.namespaces) this.#byName.set(`${record.script}/${record.class}`, record)
  }

  get all(): NamespaceRecord[] {
    return [...this.#byName.values()]
  }

  /** Those of the uploaded script. */
  get own(): NamespaceRecord[] {
    return this.all.filter(({ script }) => script === this.#context.script)
  }

  find(className: string, script = this.#context.script): NamespaceRecord | undefined {
    return this.#byName.get(`${script}/${className}`)
  }

  /** @throws ERR_OBJECT_NAMESPACE_LIMIT */
  create(className: string, storage: ObjectStorage): void {
    if (this.#byName.size >= MAX_NAMESPACES) {
      throw new SkerryError(
        'ERR_OBJECT_NAMESPACE_LIMIT',
        `The account has ${this.#byName.size} Durable Object classes; at most ${MAX_NAMESPACES} are allowed. Delete one first.`,
      )
    }
    this.#put({
      id: this.#context.createId(),
      script: this.#context.script,
      class: className,
      sqlite: Number(storage === 'sqlite'),
      created_on: this.#context.now,
    })
  }

  /** Gives a namespace another class, of this script or another. */
  move(record: NamespaceRecord, className: string, script = this.#context.script): void {
    this.remove(record)
    this.#put({ ...record, class: className, script })
  }

  remove({ script, class: className }: NamespaceRecord): void {
    this.#byName.delete(`${script}/${className}`)
  }

  #put(record: NamespaceRecord): void {
    this.#byName.set(`${record.script}/${record.class}`, record)
  }
}

/** Whether a version exports what can be a Durable Object class; classes without a base are told by nothing. */
export function exportsClass(exports: readonly ExportRef[], className: string): boolean {
  return exports.some(
    ({ name, kind }) => name === className && (kind === 'durable-object' || kind === 'other'),
  )
}
