import { SkerryError } from '../../src/core/errors.ts'
import type { PurgeTarget } from '../../src/core/gateway.ts'

/**
 * What a request to purge caches names.
 *
 * @param fields what each field of the body is called, and what it lists; `everything` is `true`, the others are lists
 * @throws ERR_API_BODY
 */
export function readPurge(
  body: Readonly<Record<string, unknown>>,
  fields: Readonly<Record<string, PurgeTarget['kind']>>,
): PurgeTarget[] {
  const names = Object.keys(fields)
  const unknown = Object.keys(body).find(name => !Object.hasOwn(fields, name))
  if (unknown !== undefined) {
    throw wrong(`The field "${unknown}" is not known here; there are ${names.join(', ')}.`)
  }
  const targets = names.flatMap(name => readField(name, fields[name] as PurgeTarget['kind'], body[name]))
  if (targets.length === 0) throw wrong(`Nothing is named: give at least one of ${names.join(', ')}.`)
  if (targets.length > MAX_TARGETS) {
    throw wrong(`${targets.length} are named; the limit is ${MAX_TARGETS} a request: send several.`)
  }
  return targets
}

function readField(name: string, kind: PurgeTarget['kind'], given: unknown): PurgeTarget[] {
  if (given === undefined || given === null || given === false) return []
  if (kind === 'everything') {
    if (given !== true) throw wrong(`The field "${name}" must be true or absent.`)
    return [{ kind }]
  }
  if (!Array.isArray(given)) throw wrong(`The field "${name}" must be a list of texts.`)
  return given.map(item => ({ kind, value: readValue(name, kind, item) }))
}

/** Cloudflare takes URLs as objects too. */
function readValue(name: string, kind: 'url' | 'prefix' | 'host' | 'tag', item: unknown): string {
  const value = typeof item === 'object' && item !== null ? (item as { url?: unknown }).url : item
  if (typeof value !== 'string' || value.trim() === '') {
    throw wrong(`The field "${name}" must hold texts, not ${JSON.stringify(item)}.`)
  }
  const text = value.trim()
  if (text.length > MAX_CHARS)
    throw wrong(`A text in "${name}" has ${text.length} characters; the limit is ${MAX_CHARS}.`)
  if (kind === 'url' && !URL.canParse(text)) {
    throw wrong(`"${text}" in "${name}" must be a whole URL, such as https://example.com/a.`)
  }
  // As requests have it: the host in lower case, the path encoded.
  if (kind === 'url') return new URL(text).href
  if (kind === 'host' && /[/?#@\s]/.test(text)) {
    throw wrong(`"${text}" in "${name}" must be a host name, such as example.com or *.example.com.`)
  }
  return text
}

const wrong = (detail: string): SkerryError => new SkerryError('ERR_API_BODY', detail)

const MAX_TARGETS = 100
const MAX_CHARS = 4096
