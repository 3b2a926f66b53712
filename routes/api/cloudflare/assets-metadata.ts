import * as v from 'valibot'
import type { SiteConfig, SiteDocument, StoredFile } from '../../../bindings/assets/document.ts'
import { type ParsedConfig, parseRules, toSiteConfig } from '../../../bindings/assets/site-config.ts'
import { SkerryError } from '../../../src/core/errors.ts'
import { sha256Hex } from '../../../src/core/ids.ts'
import type { AssetsConfig, AssetsRef, Program } from '../../../src/core/manifest.ts'
import type { Account } from '../../../src/registry/account.ts'
import { readAssetsManifest } from './assets-manifest.ts'
import { verifyAssetsToken } from './assets-tokens.ts'

const text = v.optional(v.pipe(v.string(), v.maxLength(1024 * 1024)))

/** The field `assets` of an upload's metadata. */
export const AssetsMetadata = v.strictObject({
  jwt: v.optional(v.string()),
  config: v.optional(
    v.strictObject({
      html_handling: v.optional(
        v.picklist(['auto-trailing-slash', 'force-trailing-slash', 'drop-trailing-slash', 'none']),
      ),
      not_found_handling: v.optional(v.picklist(['single-page-application', '404-page', 'none'])),
      run_worker_first: v.optional(v.union([v.boolean(), v.array(v.string())])),
      base_path: v.optional(v.string()),
      // The older name: the opposite of `run_worker_first`.
      serve_directly: v.optional(v.boolean()),
      _headers: text,
      _redirects: text,
    }),
  ),
})

/** What an upload says of static files. */
export interface AssetsUpload {
  readonly fields?: v.InferOutput<typeof AssetsMetadata>
  /** Where the upload brings no files, those of the previous version stay. */
  readonly keeps: boolean
}

/** Where a version's static files come from. */
export interface AssetsScope {
  readonly code: KVNamespace
  readonly registry: Pick<DurableObjectStub<Account>, 'findAssets'>
  readonly accountId: string
  readonly masterKey: string
  readonly previous: AssetsRef | undefined
}

/**
 * The static files of a new version: those that its completion token stands for, or those of the version before,
 * served as its configuration says. Their document is stored when this returns.
 *
 * @throws ERR_UPLOAD_METADATA, ERR_ASSETS_TOKEN, ERR_ASSETS_CONFIG
 */
export async function prepareAssets(
  { fields, keeps }: AssetsUpload,
  program: Program,
  scope: AssetsScope,
): Promise<AssetsRef | undefined> {
  const { previous, code } = scope
  const config = fields?.config && toConfig(fields.config)
  const rules = orThrow(parseRules(fields?.config ?? {}, config?.html_handling), 'ERR_ASSETS_CONFIG')
  if (fields?.jwt !== undefined) {
    return storeDocument(await readUploaded(fields.jwt, scope), config ?? {}, rules, program, code)
  }
  if (keeps && previous) {
    const kept = JSON.parse((await code.get(previous.digest)) ?? '') as SiteDocument
    if (config) return storeDocument(kept, config, rules, program, code)
    return storeDocument(kept, previous.config, kept.config, program, code)
  }
  if (!fields) return undefined
  throw invalid('"assets" needs the field "jwt", the completion token of an upload session')
}

type Files = Pick<SiteDocument, 'files' | 'paths'>
type Rules = Pick<SiteConfig, 'headers' | 'redirects'>

async function storeDocument(
  { files, paths }: Files,
  config: AssetsConfig,
  rules: Rules,
  program: Program,
  code: KVNamespace,
): Promise<AssetsRef> {
  const site = orThrow(toSiteConfig(config, program, rules), 'ERR_UPLOAD_METADATA')
  const document: SiteDocument = { config: site, files, paths }
  const json = JSON.stringify(document)
  const digest = await sha256Hex(json)
  await code.put(digest, json)
  return { digest, config }
}

/** The files of a manifest whose upload was completed. */
async function readUploaded(
  jwt: string,
  { code, registry, accountId, masterKey }: AssetsScope,
): Promise<Files> {
  const token = await verifyAssetsToken('complete', jwt, masterKey)
  if (token.accountId !== accountId) {
    throw new SkerryError('ERR_ASSETS_TOKEN', "The assets' completion token is another account's.")
  }
  const manifest = await readAssetsManifest(code, token.manifest)
  const known = await registry.findAssets(manifest.map(({ hash }) => hash))
  const indexes = new Map(known.map(({ hash }, index) => [hash, index]))
  const paths = manifest.map(({ path, hash }) => [path, indexes.get(hash) ?? -1] as const)
  const missing = paths.find(([, index]) => index < 0)
  if (missing) throw invalid(`the file ${missing[0]} of the upload session was not sent`)
  const files = known.map(
    ({ hash, digest, sizeBytes, contentType }): StoredFile => [hash, digest, sizeBytes, contentType],
  )
  return { files, paths }
}

function toConfig(fields: NonNullable<v.InferOutput<typeof AssetsMetadata>['config']>): AssetsConfig {
  const { html_handling, not_found_handling, run_worker_first, serve_directly, base_path } = fields
  const first = run_worker_first ?? (serve_directly === undefined ? undefined : !serve_directly)
  return {
    ...(html_handling !== undefined && { html_handling }),
    ...(not_found_handling !== undefined && { not_found_handling }),
    ...(first !== undefined && { run_worker_first: first }),
    ...(base_path !== undefined && { base_path }),
  }
}

function orThrow<Parsed>(
  parsed: ParsedConfig<Parsed>,
  code: 'ERR_ASSETS_CONFIG' | 'ERR_UPLOAD_METADATA',
): Parsed {
  if ('config' in parsed) return parsed.config
  if (code === 'ERR_UPLOAD_METADATA') throw invalid(parsed.problem)
  throw new SkerryError(code, parsed.problem)
}

function invalid(problem: string): SkerryError {
  return new SkerryError('ERR_UPLOAD_METADATA', `The upload's metadata is invalid: ${problem}.`)
}
