import { SkerryError } from '../../../src/core/errors.ts'
import { decodeBase64, decodeHex, type Hash, parseTimestamp, type Scheme, utf8 } from './scheme.ts'

/** What the gateway file says of a scheme of one's own. */
export interface GenericOptions {
  readonly header?: string | undefined
  readonly algorithm?: 'sha256' | 'sha384' | 'sha512' | undefined
  readonly encoding?: 'hex' | 'base64' | undefined
  readonly prefix?: string | undefined
  readonly content?: string | undefined
  readonly timestamp_header?: string | undefined
  readonly timestamp_unit?: 's' | 'ms' | undefined
  readonly id_header?: string | undefined
  readonly secret_encoding?: 'text' | 'hex' | 'base64' | undefined
}

/**
 * A scheme that is made of options: which header, which hash, what is signed.
 *
 * @throws SkerryError ERR_GATEWAY_FILE for a template that doesn't cover what it must
 */
export function createGenericScheme(options: GenericOptions): Scheme {
  const { header, algorithm = 'sha256', encoding = 'hex', prefix = '', timestamp_unit: unit = 's' } = options
  if (!header) throw new SkerryError('ERR_GATEWAY_FILE', 'hmac: "header" is missing; "generic" needs it.')
  const template = parseTemplate(options.content ?? '{body}')
  const { timestamp_header: timestampHeader, id_header: idHeader } = options
  holdTogether(template, 'timestamp', timestampHeader)
  holdTogether(template, 'id', idHeader)
  const decode = encoding === 'hex' ? decodeHex : decodeBase64
  return {
    provider: 'generic',
    header: header.toLowerCase(),
    hash: HASHES[algorithm],
    isUnique: timestampHeader !== undefined || idHeader !== undefined,
    read(request) {
      const text = request.headers.get(header)
      if (text === null) return undefined
      const signature = text.startsWith(prefix) ? decode(text.slice(prefix.length)) : undefined
      if (!signature?.length) return `${header} must be ${prefix ? `"${prefix}" and ` : ''}${encoding} text.`
      const timestamp = timestampHeader ? (request.headers.get(timestampHeader) ?? '') : ''
      const timestampMs = parseTimestamp(timestamp, unit)
      if (timestampHeader && timestampMs === undefined) {
        return `${timestampHeader} must be ${UNITS[unit]} since 1970, ${unit === 's' ? 10 : 13} digits.`
      }
      const id = idHeader ? (request.headers.get(idHeader) ?? '') : ''
      if (idHeader && !/^[\x21-\x7e]{1,256}$/.test(id))
        return `${idHeader} must have 1 to 256 visible characters.`
      const values = { timestamp, id, method: request.method, url: request.url, path: pathOf(request.url) }
      const [before, after] = template.map(parts => fill(parts, values))
      return {
        signatures: [signature],
        before: before ?? '',
        after: after ?? '',
        ...(timestampMs !== undefined && { timestampMs }),
        ...(idHeader && { id }),
      }
    },
    toKey(secret) {
      const how = options.secret_encoding ?? 'text'
      const key = how === 'text' ? utf8(secret) : how === 'hex' ? decodeHex(secret) : decodeBase64(secret)
      return key?.length ? key : undefined
    },
  }
}

const HASHES: Readonly<Record<'sha256' | 'sha384' | 'sha512', Hash>> = {
  sha256: 'SHA-256',
  sha384: 'SHA-384',
  sha512: 'SHA-512',
}
const UNITS = { s: 'seconds', ms: 'milliseconds' } as const

type Field = 'timestamp' | 'id' | 'method' | 'url' | 'path'
/** Texts as they are, and fields to put in. */
type Part = { readonly text: string } | { readonly field: Field }

/** What stands before the body, and what behind it. */
function parseTemplate(template: string): readonly [before: Part[], after: Part[]] {
  const sides: Part[][] = [[]]
  for (const piece of template.split(/(\{[^{}]*\})/)) {
    if (piece === '{body}') sides.push([])
    else if (/^\{(timestamp|id|method|url|path)\}$/.test(piece)) {
      sides.at(-1)?.push({ field: piece.slice(1, -1) as Field })
    } else if (/[{}]/.test(piece)) {
      throw new SkerryError(
        'ERR_GATEWAY_FILE',
        `hmac: content: "${piece}" is not known; use {body}, {timestamp}, {id}, {method}, {path} or {url}.`,
      )
    } else if (piece) sides.at(-1)?.push({ text: piece })
  }
  const [before, after, ...more] = sides
  // A signature that doesn't cover the body is good for any body.
  if (!before || !after || more.length > 0) {
    throw new SkerryError('ERR_GATEWAY_FILE', 'hmac: content: "{body}" must be in it once.')
  }
  return [before, after]
}

/** A timestamp or an id that isn't signed can be changed by anybody, so it protects from nothing. */
function holdTogether(
  [before, after]: readonly [Part[], Part[]],
  field: 'timestamp' | 'id',
  header: string | undefined,
): void {
  const isSigned = [...before, ...after].some(part => 'field' in part && part.field === field)
  if (isSigned === (header !== undefined)) return
  const message = isSigned
    ? `content: {${field}} needs "${field}_header".`
    : `${field}_header: the ${field} must be signed too: put {${field}} into "content".`
  throw new SkerryError('ERR_GATEWAY_FILE', `hmac: ${message}`)
}

function fill(parts: readonly Part[], values: Readonly<Record<Field, string>>): string {
  return parts.map(part => ('text' in part ? part.text : values[part.field])).join('')
}

/** Path and query, as they were sent. */
function pathOf(url: string): string {
  const start = url.indexOf('/', url.indexOf('://') + 3)
  return start === -1 ? '/' : url.slice(start)
}
