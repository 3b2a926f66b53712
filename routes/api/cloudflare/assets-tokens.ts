import { jwtVerify, SignJWT } from 'jose'
import { SkerryError } from '../../../src/core/errors.ts'
import { deriveSigningKey } from '../../../src/registry/signing-key.ts'

/**
 * What a token of an upload is for: `upload` lets its holder send the files of a manifest, `complete` says that they
 * are all stored.
 */
export type AssetsTokenUse = 'upload' | 'complete'

/** What a token says. */
export interface AssetsToken {
  readonly accountId: string
  /** Where the code store has the manifest. */
  readonly manifest: string
}

/**
 * Signs a token: a JWT (HS256, key derived from the master key), as wrangler looks into it for when it expires.
 *
 * Good for an hour.
 */
export async function signAssetsToken(
  use: AssetsTokenUse,
  { accountId, manifest }: AssetsToken,
  masterKey: string,
): Promise<string> {
  return new SignJWT({ manifest })
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(accountId)
    .setAudience(audienceOf(use))
    .setIssuedAt()
    .setExpirationTime('1h')
    .sign(await keyOf(masterKey))
}

/** What a token says, if it was signed here for this use. @throws ERR_ASSETS_TOKEN */
export async function verifyAssetsToken(
  use: AssetsTokenUse,
  token: string,
  masterKey: string,
): Promise<AssetsToken> {
  try {
    const options = { algorithms: ['HS256'], audience: audienceOf(use), requiredClaims: ['exp', 'sub'] }
    const { payload } = await jwtVerify(token, await keyOf(masterKey), options)
    return { accountId: payload.sub ?? '', manifest: String(payload.manifest) }
  } catch (cause) {
    const name = use === 'upload' ? "upload session's" : "assets' completion"
    const detail = `Authentication error: the ${name} token is not good: ${(cause as Error).message}.`
    throw new SkerryError('ERR_ASSETS_TOKEN', detail, { cause })
  }
}

const audienceOf = (use: AssetsTokenUse) => `skerry assets ${use}`

const keyOf = (masterKey: string) => deriveSigningKey(masterKey, 'skerry assets tokens')
