import { checkModuleName } from '../../../runtime/module-names.ts'
import { SkerryError } from '../../../src/core/errors.ts'
import { sha256Hex } from '../../../src/core/ids.ts'
import { LIMITS } from '../../../src/core/limits.ts'
import type { ModuleRef, ModuleType } from '../../../src/core/manifest.ts'

/** A module as it arrived. */
export interface UploadedModule extends ModuleRef {
  readonly bytes: Uint8Array<ArrayBuffer>
}

/** An upload form, taken apart but not yet understood. */
export interface UploadForm {
  readonly metadata: Readonly<Record<string, unknown>>
  readonly modules: readonly UploadedModule[]
}

/**
 * Reads the multipart form of a script upload: a JSON part `metadata`, and a part per module, named like it.
 *
 * @throws ERR_UPLOAD_FORM, ERR_UPLOAD_METADATA, ERR_UPLOAD_MODULE, ERR_UPLOAD_TOO_LARGE
 * @see https://developers.cloudflare.com/workers/configuration/multipart-upload-metadata/
 */
export async function readUploadForm(request: Request): Promise<UploadForm> {
  const announced = Number(request.headers.get('content-length') ?? 0)
  if (announced > MAX_FORM_BYTES) throw tooLarge(announced)
  const form = await readForm(request)
  const metadata = parseMetadata(form.get('metadata'))

  const modules: UploadedModule[] = []
  for (const [name, part] of form as unknown as Iterable<[string, string | File]>) {
    if (name !== 'metadata') modules.push(await toModule(name, part))
  }
  const names = new Set(modules.map(module => module.name))
  if (names.size < modules.length)
    throw new SkerryError('ERR_UPLOAD_MODULE', 'Two modules of the upload have the same name.')
  if (modules.length > LIMITS.modules) {
    throw new SkerryError(
      'ERR_UPLOAD_MODULE',
      `The upload has ${modules.length} modules; the limit is ${LIMITS.modules}.`,
    )
  }
  const codeBytes = modules.reduce(
    (sum, { type, sizeBytes }) => sum + (type === 'source-map' ? 0 : sizeBytes),
    0,
  )
  if (codeBytes > LIMITS.uploadBytes) throw tooLarge(codeBytes)
  return { metadata, modules }
}

/** The form may also hold source maps, which don't count. */
const MAX_FORM_BYTES = LIMITS.uploadBytes * 1.5

async function readForm(request: Request): Promise<FormData> {
  const type = request.headers.get('content-type') ?? ''
  if (!type.startsWith('multipart/form-data')) {
    throw new SkerryError(
      'ERR_UPLOAD_FORM',
      `The upload's content type is "${type}"; it must be multipart/form-data.`,
    )
  }
  try {
    return await request.formData()
  } catch (cause) {
    throw new SkerryError(
      'ERR_UPLOAD_FORM',
      `The upload is not well-formed multipart/form-data: ${(cause as Error).message}`,
      { cause },
    )
  }
}

function parseMetadata(part: string | File | null): Record<string, unknown> {
  if (typeof part !== 'string') {
    throw new SkerryError(
      'ERR_UPLOAD_METADATA',
      'The upload has no part named "metadata" that holds JSON text.',
    )
  }
  try {
    const metadata = JSON.parse(part) as unknown
    if (metadata && typeof metadata === 'object' && !Array.isArray(metadata))
      return metadata as Record<string, unknown>
  } catch (cause) {
    throw new SkerryError(
      'ERR_UPLOAD_METADATA',
      `The part "metadata" is not JSON: ${(cause as Error).message}.`,
      { cause },
    )
  }
  throw new SkerryError('ERR_UPLOAD_METADATA', 'The part "metadata" must be a JSON object.')
}

async function toModule(name: string, part: string | File): Promise<UploadedModule> {
  const problem = checkModuleName(name)
  if (problem) throw new SkerryError('ERR_UPLOAD_MODULE', problem)
  if (typeof part === 'string') {
    throw new SkerryError(
      'ERR_UPLOAD_MODULE',
      `The part "${name}" has no file name; send each module as a file with a content type.`,
    )
  }
  const bytes = new Uint8Array(await part.arrayBuffer())
  if (bytes.byteLength > LIMITS.moduleBytes) {
    throw new SkerryError(
      'ERR_UPLOAD_TOO_LARGE',
      `The module "${name}" has ${bytes.byteLength} bytes; the limit for one module is ${LIMITS.moduleBytes}.`,
    )
  }
  return {
    name,
    type: toModuleType(name, part.type),
    digest: await sha256Hex(bytes),
    sizeBytes: bytes.byteLength,
    bytes,
  }
}

function toModuleType(name: string, contentType: string): ModuleType {
  const type = MODULE_TYPES[contentType.split(';')[0]?.trim() ?? '']
  if (type) return type
  const hint = contentType.startsWith('text/x-python')
    ? 'Python Workers are not supported'
    : `use one of ${Object.keys(MODULE_TYPES).join(', ')}`
  throw new SkerryError(
    'ERR_UPLOAD_MODULE',
    `The module "${name}" has the content type "${contentType}": ${hint}.`,
  )
}

const MODULE_TYPES: Readonly<Record<string, ModuleType>> = {
  'application/javascript+module': 'esm',
  'text/javascript+module': 'esm',
  'application/javascript': 'cjs',
  'text/javascript': 'cjs',
  'application/wasm': 'wasm',
  'application/octet-stream': 'data',
  'text/plain': 'text',
  'text/html': 'text',
  'application/json': 'json',
  'application/source-map': 'source-map',
}

function tooLarge(bytes: number): SkerryError {
  const toMiB = (n: number) => (n / 1024 / 1024).toFixed(1)
  return new SkerryError(
    'ERR_UPLOAD_TOO_LARGE',
    `Your Worker exceeded the size limit of ${toMiB(LIMITS.uploadBytes)} MiB: the upload has ${toMiB(bytes)} MiB.`,
  )
}
