import { deriveSigningKey } from '../../../src/registry/signing-key.ts'

/**
 * Tokens that are the credential for one file of a database: `<content>.<signature>`, both base64url, signed with
 * a key that is derived from the master key, so that nothing needs to be stored.
 */
export interface Transfer {
  readonly kind: 'imports' | 'exports'
  /** The database's object, `<account>/<object id>`. */
  readonly name: string
  /** Milliseconds since the epoch. */
  readonly untilMs: number
  /** Of an import: the file's MD5. */
  readonly md5?: unknown
  /** Of an export: what goes into it. */
  readonly dump?: unknown
}

/** A token for a file. */
export async function signTransfer(transfer: Transfer, masterKey: string): Promise<string> {
  const content = toText(encode(JSON.stringify(transfer)))
  const signature = await crypto.subtle.sign('HMAC', await keyOf(masterKey), encode(content))
  return `${content}.${toText(new Uint8Array(signature))}`
}

/** What a token is for, if it was signed here and is still good. */
export async function verifyTransfer(
  token: string,
  nowMs: number,
  masterKey: string,
): Promise<Transfer | undefined> {
  const [, content = '', signature = ''] = FORM.exec(token) ?? []
  if (!signature) return undefined
  const key = await keyOf(masterKey)
  const isOurs = await crypto.subtle.verify('HMAC', key, toBytes(signature), encode(content))
  if (!isOurs) return undefined
  const transfer = JSON.parse(new TextDecoder().decode(toBytes(content))) as Transfer
  return transfer.untilMs > nowMs ? transfer : undefined
}

const FORM = /^([\w-]+)\.([\w-]{43})$/

const keyOf = (masterKey: string) => deriveSigningKey(masterKey, 'skerry d1 files')

const encode = (text: string) => new TextEncoder().encode(text)
const toBytes = (text: string) => Uint8Array.fromBase64(text, { alphabet: 'base64url' })
const toText = (bytes: Uint8Array) => bytes.toBase64({ alphabet: 'base64url', omitPadding: true })
