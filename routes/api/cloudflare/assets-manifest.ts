import * as v from 'valibot'
import { SkerryError } from '../../../src/core/errors.ts'
import { sha256Hex } from '../../../src/core/ids.ts'
import { LIMITS } from '../../../src/core/limits.ts'

/** A file of an upload's manifest. */
export interface ManifestFile {
  /** As in the project's directory, with a slash in front; not percent-encoded. */
  readonly path: string
  readonly hash: string
  readonly sizeBytes: number
}

const Manifest = v.record(
  v.pipe(v.string(), v.startsWith('/'), v.maxLength(4096)),
  v.object({
    hash: v.pipe(v.string(), v.regex(/^[0-9a-fA-F]{32}$/), v.toLowerCase()),
    size: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  }),
)

/** Checks the manifest of an upload session. @throws ERR_ASSETS_MANIFEST */
export function parseAssetsManifest(input: unknown): ManifestFile[] {
  const parsed = v.safeParse(Manifest, input)
  if (!parsed.success) {
    const [issue] = parsed.issues
    const place = issue.path?.map(({ key }) => String(key)).join(' ') ?? 'manifest'
    throw invalid(`${place}: ${issue.message}. It maps paths to { "hash": 32 hex digits, "size": bytes }`)
  }
  const files = Object.entries(parsed.output).map(([path, { hash, size }]) => ({
    path,
    hash,
    sizeBytes: size,
  }))
  if (files.length > LIMITS.assetFiles) {
    throw invalid(`it has ${files.length} files; the limit is ${LIMITS.assetFiles}`)
  }
  const large = files.find(({ sizeBytes }) => sizeBytes > LIMITS.assetBytes)
  if (large) {
    throw invalid(
      `${large.path} has ${large.sizeBytes} bytes; the limit for one file is ${LIMITS.assetBytes}`,
    )
  }
  const sizes = new Map<string, number>()
  for (const { path, hash, sizeBytes } of files) {
    if ((sizes.get(hash) ?? sizeBytes) !== sizeBytes)
      throw invalid(`${path}: files with the hash ${hash} differ in size`)
    sizes.set(hash, sizeBytes)
  }
  return files
}

/** Keeps a manifest in the code store until its version is made. @returns where */
export async function storeAssetsManifest(
  code: KVNamespace,
  accountId: string,
  files: readonly ManifestFile[],
): Promise<string> {
  const text = JSON.stringify(files)
  const key = `${PREFIX}${accountId}/${await sha256Hex(text)}`
  await code.put(key, text, { expirationTtl: KEPT_SECONDS })
  return key
}

/** A manifest that a token names. @throws ERR_ASSETS_TOKEN when it is too old */
export async function readAssetsManifest(code: KVNamespace, key: string): Promise<ManifestFile[]> {
  const text = key.startsWith(PREFIX) ? await code.get(key) : null
  if (text === null) throw new SkerryError('ERR_ASSETS_TOKEN', 'The upload session of this token is gone.')
  return JSON.parse(text) as ManifestFile[]
}

/** No digest begins like this. */
const PREFIX = 'assets-session/'

/** Longer than its tokens are good. */
const KEPT_SECONDS = 3 * 3600

function invalid(problem: string): SkerryError {
  return new SkerryError('ERR_ASSETS_MANIFEST', `The manifest of assets is invalid: ${problem}.`)
}
