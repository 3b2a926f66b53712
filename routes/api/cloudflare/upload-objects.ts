import * as v from 'valibot'
import { SkerryError } from '../../../src/core/errors.ts'
import type {
  MigrationStep,
  Migrations,
  ObjectChanges,
  ObjectExport,
  ObjectExports,
} from '../../../src/core/object-changes.ts'

const className = v.pipe(v.string(), v.nonEmpty())
const names = v.optional(v.array(className), [])

const STEP = {
  deleted_classes: names,
  renamed_classes: v.optional(v.array(v.object({ from: className, to: className })), []),
  transferred_classes: v.optional(
    v.array(v.object({ from: className, from_script: className, to: className })),
    [],
  ),
  new_classes: names,
  new_sqlite_classes: names,
}
const Step = v.strictObject(STEP)
/** As wrangler sends it; with `steps` absent it is one step itself. */
const MigrationsField = v.strictObject({
  old_tag: v.optional(v.string()),
  new_tag: v.optional(v.string()),
  steps: v.optional(v.array(Step)),
  ...STEP,
})

const storage = v.picklist(['sqlite', 'legacy-kv'])
const type = v.literal('durable-object')
const DurableObjectExport = v.variant('state', [
  v.strictObject({ type, state: v.optional(v.literal('created')), storage }),
  v.strictObject({ type, state: v.literal('deleted') }),
  v.strictObject({ type, state: v.literal('renamed'), renamed_to: className }),
  v.strictObject({ type, state: v.literal('transferred'), transferred_to: className }),
  v.strictObject({ type, state: v.literal('expecting-transfer'), storage, transfer_from: className }),
])

/**
 * What an upload's `migrations` or `exports` asks for; `undefined` if it has neither.
 *
 * @throws ERR_UPLOAD_METADATA
 */
export function parseObjectChanges(migrations: unknown, exports: unknown): ObjectChanges | undefined {
  const declared = parseExports(exports ?? {})
  if (!migrations) return declared && { kind: 'exports', exports: declared }
  if (declared) throw invalid('"migrations" and "exports" exclude each other; keep one of them')
  return { kind: 'migrations', migrations: parseMigrations(migrations) }
}

function parseMigrations(raw: unknown): Migrations {
  const { old_tag, new_tag, steps, ...single } = parse(MigrationsField, raw, 'migrations')
  return {
    ...(old_tag && { oldTag: old_tag }),
    ...(new_tag && { newTag: new_tag }),
    steps: (steps ?? [single]).map(toStep),
  }
}

function toStep(step: v.InferOutput<typeof Step>): MigrationStep {
  return {
    deleted: step.deleted_classes,
    renamed: step.renamed_classes,
    transferred: step.transferred_classes.map(({ from_script, ...move }) => ({
      ...move,
      fromScript: from_script,
    })),
    created: step.new_classes,
    createdSqlite: step.new_sqlite_classes,
  }
}

/**
 * Those of Durable Objects. Workflows are set up by requests of their own; other entries mean nothing, or
 * are refused.
 */
function parseExports(raw: unknown): ObjectExports | undefined {
  const entries = Object.entries(
    parse(v.record(v.string(), v.looseObject({ type: v.string() })), raw, 'exports'),
  )
  const objects: [string, ObjectExport][] = []
  for (const [name, entry] of entries) {
    if (entry.type === 'durable-object') objects.push([name, parseExport(name, entry)])
    else if (entry.type === 'worker') refuseCache(name, entry)
    else if (entry.type !== 'workflow') {
      throw invalid(`"exports.${name}" is of the type "${entry.type}", which is not supported`)
    }
  }
  return objects.length > 0 ? Object.fromEntries(objects) : undefined
}

function refuseCache(name: string, { cache }: Record<string, unknown>): void {
  if (!(cache as { enabled?: boolean } | undefined)?.enabled) return
  throw invalid(
    `"exports.${name}.cache" is not supported; give the route a cache policy in the gateway file, and remove it`,
  )
}

function parseExport(name: string, raw: Record<string, unknown>): ObjectExport {
  if (raw.container !== undefined) {
    throw invalid(
      `"exports.${name}.container" is not supported; run the container elsewhere and reach it over HTTP`,
    )
  }
  const entry = parse(DurableObjectExport, raw, `exports.${name}`)
  switch (entry.state) {
    case 'deleted':
      return { state: 'deleted' }
    case 'renamed':
      return { state: 'renamed', renamedTo: entry.renamed_to }
    case 'transferred':
      return { state: 'transferred', transferredTo: entry.transferred_to }
    case 'expecting-transfer':
      return { state: 'expecting-transfer', storage: entry.storage, transferFrom: entry.transfer_from }
    default:
      return { state: 'created', storage: entry.storage }
  }
}

function parse<S extends v.GenericSchema>(schema: S, raw: unknown, field: string): v.InferOutput<S> {
  const parsed = v.safeParse(schema, raw)
  if (parsed.success) return parsed.output
  const [{ path, message }] = parsed.issues
  const place = [field, ...(path ?? []).map(({ key }) => String(key))].join('.')
  throw invalid(`"${place}": ${message}`)
}

function invalid(problem: string): SkerryError {
  return new SkerryError('ERR_UPLOAD_METADATA', `The upload's metadata is invalid: ${problem}.`)
}
