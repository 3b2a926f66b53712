import { Hono } from 'hono'
import { SkerryError } from '../../../src/core/errors.ts'
import { sha256Hex } from '../../../src/core/ids.ts'
import type { AssetRecord } from '../../../src/registry/assets.ts'
import type { Api } from '../context.ts'
import { readJsonObject } from '../json.ts'
import { requireRole } from '../roles.ts'
import {
  type ManifestFile,
  parseAssetsManifest,
  readAssetsManifest,
  storeAssetsManifest,
} from './assets-manifest.ts'
import { signAssetsToken, verifyAssetsToken } from './assets-tokens.ts'
import { respondResult } from './envelope.ts'
import { readScriptName } from './script-name.ts'

/**
 * Begins an upload of static files: which of them the account lacks, and a token to send them with. Mounted at
 * `/accounts/:account/workers/scripts/:name`; the script need not exist.
 *
 * @see https://developers.cloudflare.com/workers/static-assets/direct-upload/
 */
export const assetsSession = new Hono<Api>()

assetsSession.post('/assets-upload-session', async c => {
  requireRole(c, 'deployer')
  readScriptName(c)
  const { manifest } = await readJsonObject(c)
  const files = parseAssetsManifest(manifest)
  const { id, registry } = c.var.account
  const token = { accountId: id, manifest: await storeAssetsManifest(c.env.CODE, id, files) }
  const missing = new Set(await registry.missingAssets(files.map(({ hash }) => hash)))
  const buckets = toBuckets(files.filter(({ hash }) => missing.delete(hash)))
  const jwt = await signAssetsToken(buckets.length > 0 ? 'upload' : 'complete', token, c.env.MASTER_KEY)
  return respondResult(c, { jwt, buckets })
})

/** Files that are sent together: few enough for one request, and small enough for its memory. */
function toBuckets(files: readonly ManifestFile[]): string[][] {
  const buckets: string[][] = []
  let bytes = 0
  // Files of similar size together.
  for (const { hash, sizeBytes } of files.toSorted(bySize)) {
    const last = buckets.at(-1)
    if (last && last.length < BUCKET_FILES && bytes + sizeBytes <= BUCKET_BYTES) {
      last.push(hash)
      bytes += sizeBytes
    } else {
      buckets.push([hash])
      bytes = sizeBytes
    }
  }
  return buckets
}

const bySize = (a: ManifestFile, b: ManifestFile) => a.sizeBytes - b.sizeBytes

/** To take a form apart takes the thread 0.7 ms a part (measured). */
const BUCKET_FILES = 100
const BUCKET_BYTES = 10 * 1024 * 1024

/**
 * Takes files of an upload session in. Mounted at `/accounts/:account/workers/assets`, before authentication: the
 * session's token is the credential.
 *
 * Each file is stored before it is noted, under the SHA-256 of its bytes, so no caller's word decides what is read
 * under a name. The call after which the session's files are all there is answered with the completion token.
 */
export const assetsUpload = new Hono<Api>()

assetsUpload.post('/upload', async c => {
  const [, bearer = ''] = /^bearer +(\S+)$/i.exec(c.req.header('authorization') ?? '') ?? []
  const token = await verifyAssetsToken('upload', bearer, c.env.MASTER_KEY)
  const accountId = c.req.param('account')
  if (token.accountId !== accountId) {
    const detail = `Authentication error: the upload session is not one of the account "${accountId}".`
    throw new SkerryError('ERR_ASSETS_TOKEN', detail)
  }
  if (c.req.query('base64') !== 'true') {
    throw new SkerryError('ERR_ASSETS_UPLOAD', 'The query must say base64=true: files are sent in base64.')
  }
  const files = (await readAssetsManifest(c.env.CODE, token.manifest)).toSorted(bySize)
  const sizes = new Map(files.map(({ hash, sizeBytes }) => [hash, sizeBytes]))
  const parts = await readParts(c.req.raw)
  const stored: AssetRecord[] = []
  while (parts.length > 0) {
    const some = parts.splice(0, AT_ONCE)
    stored.push(...(await Promise.all(some.map(part => storeFile(c.env.CODE, part, sizes)))))
  }
  const registry = c.env.ACCOUNT.get(c.env.ACCOUNT.idFromName(accountId))
  await registry.addAssets(stored)
  // The largest were asked for last.
  const isComplete = await registry.hasAssets([...sizes.keys()].reverse())
  c.status(isComplete ? 201 : 202)
  if (!isComplete) return respondResult(c, {})
  return respondResult(c, { jwt: await signAssetsToken('complete', token, c.env.MASTER_KEY) })
})

/** Writes to the store under way: more of them do not end sooner. */
const AT_ONCE = 8

async function readParts(request: Request): Promise<[string, string | File][]> {
  try {
    return [...((await request.formData()) as unknown as Iterable<[string, string | File]>)]
  } catch (cause) {
    const detail = `The upload is not well-formed multipart/form-data: ${(cause as Error).message}`
    throw new SkerryError('ERR_ASSETS_UPLOAD', detail, { cause })
  }
}

async function storeFile(
  code: KVNamespace,
  [name, part]: readonly [name: string, part: string | File],
  sizes: ReadonlyMap<string, number>,
): Promise<AssetRecord> {
  const hash = name.toLowerCase()
  const size = sizes.get(hash)
  if (size === undefined) {
    const detail = `The file "${hash.slice(0, 40)}" is not in the manifest of this upload session.`
    throw new SkerryError('ERR_ASSETS_UPLOAD', detail)
  }
  const bytes = decode(hash, typeof part === 'string' ? part : await part.text())
  if (bytes.byteLength !== size) {
    const detail = `The file ${hash} has ${bytes.byteLength} bytes; its manifest says ${size}.`
    throw new SkerryError('ERR_ASSETS_UPLOAD', detail)
  }
  const digest = await sha256Hex(bytes)
  await code.put(digest, bytes)
  return {
    hash,
    digest,
    sizeBytes: size,
    contentType: toContentType(typeof part === 'string' ? '' : part.type),
  }
}

function decode(hash: string, text: string): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.fromBase64(text)
  } catch (cause) {
    throw new SkerryError('ERR_ASSETS_UPLOAD', `The file ${hash} is not in base64.`, { cause })
  }
}

/** wrangler's word for a file that is to be sent without a type. */
function toContentType(type: string): string | null {
  return type === '' || type === 'application/null' ? null : type
}
