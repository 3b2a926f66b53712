import { toHex } from '../core/ids.ts'
import { deriveSigningKey } from './signing-key.ts'

/**
 * Tokens that make an edge keep the record of a real request: `<account>.<until>.<signature>`, signed with a key that
 * is derived from the master key, so that nothing needs to be stored. Who has one learns how an account's policies
 * decide about his own requests, and nothing else.
 */

/** A token for requests to an account's routes. @param untilMs milliseconds since the epoch */
export async function signTraceToken(accountId: string, untilMs: number, masterKey: string): Promise<string> {
  const signed = `${accountId}.${untilMs}`
  const signature = await crypto.subtle.sign('HMAC', await keyOf(masterKey), encode(signed))
  return `${signed}.${toHex(new Uint8Array(signature))}`
}

/** The account and the end of a token, if it was signed here and is still good. */
export async function verifyTraceToken(
  token: string,
  nowMs: number,
  masterKey: string,
): Promise<{ accountId: string; untilMs: number } | undefined> {
  const [, accountId = '', until = '', signature = ''] = FORM.exec(token) ?? []
  if (Number(until) <= nowMs || signature === '') return undefined
  const isOurs = await crypto.subtle.verify(
    'HMAC',
    await keyOf(masterKey),
    fromHex(signature),
    encode(`${accountId}.${until}`),
  )
  return isOurs ? { accountId, untilMs: Number(until) } : undefined
}

const FORM = /^([0-9a-f]{32})\.(\d{13})\.([0-9a-f]{64})$/

const keyOf = (masterKey: string) => deriveSigningKey(masterKey, 'skerry trace tokens')

const fromHex = (text: string) => Uint8Array.from(text.match(/../g) ?? [], pair => Number.parseInt(pair, 16))
const encode = (text: string) => new TextEncoder().encode(text)
