import { SkerryError } from '../core/errors.ts'
import type { ExportsRemark, ExportsReport, ObjectExport, ObjectExports } from '../core/object-changes.ts'
import { exportsClass, type NamespaceContext, NamespaceDraft, type NamespacePlan } from './namespace-draft.ts'
import type { NamespaceRecord, PendingTransfer } from './object-namespaces.ts'

type Entry<S extends ObjectExport['state']> = Extract<ObjectExport, { state: S }>

/**
 * Brings the classes of a script into the state that its upload declares. Everything that is wrong is told at once;
 * the scenarios are Cloudflare's.
 *
 * @throws ERR_OBJECT_EXPORTS, whose detail is the list of `ExportsRemark` as JSON
 */
export function reconcileExports(context: NamespaceContext, exports: ObjectExports): NamespacePlan {
  return new Reconciliation(context, exports).run()
}

class Reconciliation {
  readonly #context: NamespaceContext
  readonly #exports: ObjectExports
  readonly #draft: NamespaceDraft
  readonly #problems: ExportsRemark[] = []
  readonly #report: ExportsReport = {
    created: [],
    updated: [],
    deleted: [],
    renamed: [],
    transferred: [],
    transfer_pending: [],
    warnings: [],
    info: [],
    removable_entries: [],
  }
  #transfers: PendingTransfer[]

  constructor(context: NamespaceContext, exports: ObjectExports) {
    this.#context = context
    this.#exports = exports
    this.#draft = new NamespaceDraft(context)
    this.#transfers = context.transfers.filter(({ script }) => script !== context.script)
  }

  run(): NamespacePlan {
    this.#requireDeclared()
    const entries = Object.entries(this.#exports)
    // What frees a name or fills it comes before what makes a namespace for it.
    for (const [name, entry] of entries) if (entry.state === 'deleted') this.#delete(name)
    for (const [name, entry] of entries) if (entry.state === 'transferred') this.#transfer(name, entry)
    for (const [name, entry] of entries) if (entry.state === 'renamed') this.#rename(name, entry)
    for (const [name, entry] of entries) {
      if (entry.state === 'created') this.#create(name, entry)
      else if (entry.state === 'expecting-transfer') this.#expect(name, entry)
    }
    this.#remarkUndeclared()
    if (this.#problems.length > 0) {
      throw new SkerryError('ERR_OBJECT_EXPORTS', JSON.stringify(this.#problems))
    }
    return {
      namespaces: this.#draft.all,
      transfers: this.#transfers,
      tag: this.#context.tag,
      report: this.#report,
    }
  }

  #requireDeclared(): void {
    for (const record of this.#draft.own) {
      if (Object.hasOwn(this.#exports, record.class)) continue
      const storage = record.sqlite ? 'sqlite' : 'legacy-kv'
      this.#refuse(record.class, 'provisioned_class_missing_from_config', {
        message: `class '${record.class}' has a provisioned Durable Object namespace (${record.id}) but is not declared in \`exports\`.`,
        suggestion: `Declare it as {"type":"durable-object","storage":"${storage}"}, or as {"type":"durable-object","state":"deleted"} to delete it with all its data.`,
        namespace_id: record.id,
      })
    }
  }

  #delete(name: string) {
    const record = this.#draft.find(name)
    if (!record) return this.#stale(name, 'has no namespace any more')
    if (exportsClass(this.#context.exports, name)) {
      return this.#refuse(name, 'tombstone_delete_class_still_in_code', {
        message: `class '${name}' is declared as deleted, and the code still exports it.`,
        suggestion: 'Remove the class from the code, then deploy again.',
        namespace_id: record.id,
      })
    }
    const others = this.#context.boundBy(record.id)
    if (others.length > 0) {
      return this.#refuse(name, 'tombstone_delete_blocked_by_external_bindings', {
        message: `class '${name}' is declared as deleted, and other scripts bind it.`,
        suggestion: 'Deploy those scripts without the binding first.',
        namespace_id: record.id,
        referencing_scripts: others,
      })
    }
    this.#draft.remove(record)
    this.#report.deleted.push(name)
  }

  #rename(name: string, { renamedTo }: Entry<'renamed'>) {
    const target = Object.hasOwn(this.#exports, renamedTo) ? this.#exports[renamedTo] : undefined
    if (target?.state !== 'created') {
      return this.#refuse(name, 'invalid_export', {
        message: `class '${name}' is renamed to '${renamedTo}', which \`exports\` does not declare as a live class.`,
        suggestion: `Declare '${renamedTo}' as {"type":"durable-object","storage":"sqlite"}.`,
      })
    }
    const record = this.#draft.find(name)
    if (!record) return this.#stale(name, `was renamed to '${renamedTo}' already`)
    const occupant = this.#draft.find(renamedTo)
    if (occupant) {
      return this.#refuse(name, 'tombstone_renamed_to_occupied', {
        message: `class '${name}' can't be renamed to '${renamedTo}', which has a namespace of its own (${occupant.id}).`,
        suggestion: 'Choose another name, or delete that class first.',
        namespace_id: record.id,
      })
    }
    this.#draft.move(record, renamedTo)
    this.#report.renamed.push({ from: name, to: renamedTo })
    this.#remarkStillInCode(name, record)
  }

  #transfer(name: string, { transferredTo }: Entry<'transferred'>) {
    const record = this.#draft.find(name)
    if (!record) return this.#stale(name, `was transferred to '${transferredTo}' already`)
    const expected = this.#transfers.find(
      transfer => transfer.script === transferredTo && transfer.class === name,
    )
    if (!this.#context.hasScript(transferredTo)) {
      return this.#refuse(name, 'transferred_target_missing', {
        message: `class '${name}' is transferred to '${transferredTo}', and there is no such script.`,
        suggestion: 'Deploy that script first, with the class as "expecting-transfer".',
        namespace_id: record.id,
      })
    }
    if (expected?.from_script !== this.#context.script) {
      return this.#refuse(name, 'transferred_pending_not_found', {
        message: `class '${name}' is transferred to '${transferredTo}', which does not expect it from this script.`,
        suggestion: `Deploy '${transferredTo}' with '${name}' as {"type":"durable-object","state":"expecting-transfer","storage":"${record.sqlite ? 'sqlite' : 'legacy-kv'}","transfer_from":"${this.#context.script}"} first.`,
        namespace_id: record.id,
      })
    }
    this.#draft.move(record, name, transferredTo)
    this.#transfers = this.#transfers.filter(transfer => transfer !== expected)
    this.#report.transferred.push({ class: name, to: transferredTo, phase: 'committed' })
    this.#remarkStillInCode(name, record)
  }

  #create(name: string, { storage }: Entry<'created'>) {
    if (!this.#requireInCode(name)) return
    const record = this.#draft.find(name)
    if (record) return this.#requireStorage(name, storage, record)
    if (storage === 'legacy-kv') {
      return this.#refuse(name, 'storage_type_mismatch', {
        message: `class '${name}' has no namespace, and new ones can't be of the storage "legacy-kv".`,
        suggestion: 'Declare it with "storage": "sqlite".',
      })
    }
    this.#draft.create(name, storage)
    this.#report.created.push(name)
  }

  #expect(name: string, { storage, transferFrom }: Entry<'expecting-transfer'>) {
    if (!this.#requireInCode(name)) return
    const source = this.#draft.find(name, transferFrom)
    const record = this.#draft.find(name)
    if (record && !source) {
      this.#requireStorage(name, storage, record)
      return this.#remark(name, 'transfer_receive_already_applied', {
        message: `The transfer from '${transferFrom}' is complete; declare the class as a live one.`,
        namespace_id: record.id,
      })
    }
    if (record) {
      return this.#refuse(name, 'phase_one_transfer_target_class_provisioned', {
        message: `class '${name}' expects a transfer, and has a namespace of its own (${record.id}).`,
        suggestion: 'Delete or rename that class first.',
        namespace_id: record.id,
      })
    }
    if (!this.#context.hasScript(transferFrom)) {
      return this.#refuse(name, 'phase_one_transfer_source_missing', {
        message: `class '${name}' expects a transfer from '${transferFrom}', and there is no such script.`,
        suggestion: 'Correct "transfer_from".',
      })
    }
    if (!source) {
      return this.#refuse(name, 'phase_one_transfer_source_namespace_missing', {
        message: `class '${name}' expects a transfer from '${transferFrom}', which has no class of that name.`,
        suggestion: 'Correct "transfer_from", or the name of the class.',
      })
    }
    this.#requireStorage(name, storage, source)
    this.#transfers.push({ script: this.#context.script, class: name, from_script: transferFrom })
    this.#report.transfer_pending.push({ class: name, from: transferFrom })
  }

  #requireInCode(name: string): boolean {
    if (exportsClass(this.#context.exports, name)) return true
    this.#refuse(name, 'config_references_nonexistent_class', {
      message: `class '${name}' is declared in \`exports\`, and the code does not export it.`,
      suggestion: 'Export the class from the main module, or remove the entry.',
    })
    return false
  }

  #requireStorage(name: string, storage: string, record: NamespaceRecord): void {
    const actual = record.sqlite ? 'sqlite' : 'legacy-kv'
    if (storage === actual) return
    this.#refuse(name, 'storage_type_mismatch', {
      message: `class '${name}' is declared with the storage "${storage}", and its namespace has "${actual}".`,
      suggestion: `Declare it with "storage": "${actual}".`,
      namespace_id: record.id,
    })
  }

  #remarkStillInCode(name: string, { id }: NamespaceRecord): void {
    if (!exportsClass(this.#context.exports, name)) return
    this.#remark(name, 'tombstone_class_still_in_code', {
      message: 'The code still exports the class; nothing calls it under this name any more.',
      namespace_id: id,
    })
  }

  #remarkUndeclared(): void {
    for (const { name, kind } of this.#context.exports) {
      if (kind !== 'durable-object' || Object.hasOwn(this.#exports, name)) continue
      if (this.#draft.find(name)) continue
      this.#remark(name, 'code_class_not_in_exports', {
        message: 'The code exports the class, and `exports` does not declare it: it has no namespace.',
      })
    }
  }

  #stale(name: string, what: string): void {
    this.#remark(name, 'stale_tombstone', { message: `The class ${what}.` })
    this.#report.removable_entries.push(name)
  }

  #remark(name: string, scenario: string, remark: Omit<ExportsRemark, 'class' | 'scenario'>): void {
    this.#report.info.push({ class: name, scenario, ...remark })
  }

  #refuse(name: string, scenario: string, remark: Omit<ExportsRemark, 'class' | 'scenario'>): void {
    this.#problems.push({ class: name, scenario, ...remark })
  }
}
