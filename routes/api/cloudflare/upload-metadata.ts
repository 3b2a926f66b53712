import * as v from 'valibot'
import { checkCompatibility } from '../../../runtime/compatibility.ts'
import { SkerryError } from '../../../src/core/errors.ts'
import type { Program } from '../../../src/core/manifest.ts'
import type { ObjectChanges } from '../../../src/core/object-changes.ts'
import type { ScriptSettings } from '../../../src/registry/scripts.ts'
import { AssetsMetadata, type AssetsUpload } from './assets-metadata.ts'
import { toAnnotations } from './author.ts'
import { Limits } from './script-limits.ts'
import type { UploadForm } from './upload-form.ts'
import { parseObjectChanges } from './upload-objects.ts'

const strings = v.array(v.string())

/** As wrangler sends it; there are no environments beside scripts. */
const TailConsumer = v.object({ service: v.pipe(v.string(), v.nonEmpty()) })

/** The fields of an upload's metadata that have a meaning here. */
const Metadata = v.strictObject({
  main_module: v.optional(v.string()),
  body_part: v.optional(v.string()),
  bindings: v.optional(v.array(v.record(v.string(), v.unknown()))),
  compatibility_date: v.optional(v.string()),
  compatibility_flags: v.optional(strings),
  keep_bindings: v.optional(strings),
  keep_assets: v.optional(v.boolean()),
  annotations: v.optional(v.unknown()),
  tags: v.optional(v.nullable(strings)),
  observability: v.optional(v.unknown()),
  logpush: v.optional(v.nullable(v.boolean())),
  // Hints for a network of many places and plans: there is nothing to do for them on one machine.
  placement: v.optional(v.unknown()),
  usage_model: v.optional(v.string()),
  code_update_strategy: v.optional(v.unknown()),
  // Names and versions of the project's npm packages, for Cloudflare's statistics.
  package_dependencies: v.optional(v.unknown()),
  limits: v.optional(v.nullable(Limits)),
  tail_consumers: v.optional(v.nullable(v.array(TailConsumer))),
  streaming_tail_consumers: v.optional(v.nullable(v.array(v.unknown()))),
  containers: v.optional(v.unknown()),
  migrations: v.optional(v.nullable(v.unknown())),
  exports: v.optional(v.nullable(v.unknown())),
  assets: v.optional(AssetsMetadata),
})

/** An upload's metadata, checked. */
export interface UploadMetadata {
  readonly program: Program
  readonly bindings: readonly Record<string, unknown>[]
  readonly keepTypes: readonly string[]
  readonly annotations: Record<string, string>
  readonly settings: ScriptSettings
  /** Changes of its Durable Object classes. */
  readonly objects?: ObjectChanges
  readonly assets: AssetsUpload
  /** The longest synchronous turn, in milliseconds, if the project sets a limit of CPU time. */
  readonly turnMs?: number
}

/**
 * Checks the metadata against the form's modules; fields that can't be honoured are refused by name.
 *
 * @param today `YYYY-MM-DD`, UTC
 * @throws ERR_UPLOAD_METADATA, ERR_UPLOAD_MODULE
 */
export function parseUploadMetadata({ metadata, modules }: UploadForm, today: string): UploadMetadata {
  const parsed = v.safeParse(Metadata, metadata)
  if (!parsed.success) throw invalid(describeIssue(parsed.issues[0]))
  const fields = parsed.output
  refuseUnsupported(fields)

  const mainModule = fields.main_module ?? fields.body_part ?? ''
  const format = fields.body_part === undefined || fields.main_module ? 'modules' : 'service-worker'
  // Static files need no code.
  const isBare = modules.length === 0 && (fields.assets !== undefined || fields.keep_assets === true)
  if (mainModule !== '' || !isBare) checkMain(mainModule, format, modules)
  const compatibilityDate = fields.compatibility_date ?? OLDEST_COMPATIBILITY_DATE
  const compatibilityFlags = fields.compatibility_flags ?? []
  checkCompatibility(compatibilityDate, compatibilityFlags, today)
  const objects = parseObjectChanges(fields.migrations, fields.exports)
  const refs = modules.map(({ bytes: _, ...ref }) => ref)
  return {
    program: { format, mainModule, modules: refs, compatibilityDate, compatibilityFlags },
    bindings: fields.bindings ?? [],
    keepTypes: fields.keep_bindings ?? [],
    annotations: toAnnotations(fields.annotations),
    ...(objects && { objects }),
    assets: { keeps: fields.keep_assets ?? false, ...(fields.assets && { fields: fields.assets }) },
    ...(fields.limits?.cpu_ms !== undefined && { turnMs: fields.limits.cpu_ms }),
    settings: {
      ...(fields.tags && { tags: fields.tags }),
      settings: {
        ...Object.fromEntries(
          SETTINGS.flatMap(key => (fields[key] === undefined ? [] : [[key, fields[key]]])),
        ),
        // They are the version's: one that names none has none.
        limits: fields.limits ?? null,
      },
    },
  }
}

/** @throws ERR_UPLOAD_METADATA, ERR_UPLOAD_MODULE */
function checkMain(mainModule: string, format: Program['format'], modules: UploadForm['modules']): void {
  if (mainModule === '')
    throw invalid('it names no "main_module" (or "body_part", for service-worker syntax)')
  const main = modules.find(({ name, type }) => name === mainModule && type !== 'source-map')
  if (!main) {
    throw new SkerryError(
      'ERR_UPLOAD_MODULE',
      `No such module: the main module "${mainModule}" is not among the uploaded parts.`,
    )
  }
  if (format === 'modules' && main.type !== 'esm' && main.type !== 'cjs') {
    throw new SkerryError(
      'ERR_UPLOAD_MODULE',
      `The main module "${mainModule}" must be JavaScript, not ${main.type}.`,
    )
  }
}

/** What `script-settings` shows again. */
const SETTINGS = ['observability', 'logpush', 'tail_consumers', 'placement', 'usage_model'] as const

/** Cloudflare's default for scripts that name none. */
const OLDEST_COMPATIBILITY_DATE = '2021-11-02'

function refuseUnsupported(fields: v.InferOutput<typeof Metadata>): void {
  const isFilled = (value: unknown) =>
    value !== undefined && value !== null && Object.keys(value as Record<string, unknown>).length > 0
  if (isFilled(fields.streaming_tail_consumers)) {
    throw invalid(
      'streaming tail consumers are not supported; name the consumers in "tail_consumers" and give them a tail() handler',
    )
  }
  if (isFilled(fields.containers)) {
    throw invalid(
      'containers are not supported; run them elsewhere, and reach them over HTTP with fetch() from a Durable Object or a function',
    )
  }
}

function describeIssue(issue: v.BaseIssue<unknown>): string {
  const path = issue.path?.map(({ key }) => String(key)).join('.') ?? 'metadata'
  if (issue.expected === 'never') return `it has an unknown field "${path}"`
  return `the field "${path}" must be ${issue.expected ?? 'something else'}, not ${issue.received}`
}

function invalid(problem: string): SkerryError {
  return new SkerryError('ERR_UPLOAD_METADATA', `The upload's metadata is invalid: ${problem}.`)
}
