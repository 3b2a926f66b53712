/** What a caller sends to say who he is. */
export interface BasicCredentials {
  readonly user: string
  readonly password: string
}

/**
 * Reads `Basic <base64 of user:password>` (RFC 7617), in UTF-8, as the challenge asks for.
 *
 * Both parts are put in normal form C, for keyboards differ. Control characters are refused, as the RFC has it.
 *
 * @param header the value of `Authorization`, which begins with "Basic " in any case
 */
export function decodeCredentials(header: string): BasicCredentials | undefined {
  const text = decodeText(header.slice('basic '.length).trim())
  const colon = text?.indexOf(':') ?? -1
  if (text === undefined || colon < 0 || CONTROL.test(text)) return undefined
  return {
    user: text.slice(0, colon).normalize('NFC'),
    password: text.slice(colon + 1).normalize('NFC'),
  }
}

function decodeText(base64: string): string | undefined {
  if (!BASE64.test(base64)) return undefined
  try {
    const bytes = Uint8Array.from(atob(base64), character => character.charCodeAt(0))
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/
const CONTROL = /\p{Cc}/u
