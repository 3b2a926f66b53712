import { ALGORITHMS } from './checksums.ts'
import { parseEtags } from './conditions.ts'
import { MAX_PARTS } from './limits.ts'
import type {
  Algorithm,
  Checksums,
  Conditional,
  GetOptions,
  HttpMetadata,
  ListOptions,
  ObjectMetadata,
  PutOptions,
  RangeOptions,
} from './types.ts'

/**
 * Options as the facade sends them (facade.prelude.js, `flat`), read and checked in the words of workerd's own
 * client. What JSON has no word for comes as an object with one key: `$headers` (pairs), `$bytes` (hex),
 * `$date` (milliseconds), `$number` (text of one that isn't finite), `$undefined`.
 */
type Fields = Readonly<Record<string, unknown>>

/** A get's options. @throws TypeError, RangeError, Error */
export function readGetOptions(input: unknown): GetOptions {
  const fields = readFields(input, 'get', 2, 'GetOptions')
  refuseSsec(fields)
  const onlyIf = readConditional(fields, 'GetOptions')
  return { ...(onlyIf && { onlyIf }), ...readRange(fields.range) }
}

/** A put's options. @throws TypeError, Error */
export function readPutOptions(input: unknown): PutOptions {
  const fields = readFields(input, 'put', 3, 'PutOptions')
  refuseSsec(fields)
  const onlyIf = readConditional(fields, 'PutOptions')
  const metadata = readMetadata(fields, 'PutOptions')
  const checksums = readChecksums(fields)
  return { ...metadata, ...(onlyIf && { onlyIf }), ...(checksums && { checksums }) }
}

/** A createMultipartUpload's options. @throws TypeError */
export function readMultipartOptions(input: unknown): ObjectMetadata {
  const fields = readFields(input, 'createMultipartUpload', 2, 'MultipartOptions')
  refuseSsec(fields)
  return readMetadata(fields, 'MultipartOptions')
}

/** A list's options. @throws TypeError, RangeError */
export function readListOptions(input: unknown): ListOptions {
  const fields = readFields(input, 'list', 1, 'ListOptions')
  const text = (name: 'prefix' | 'cursor' | 'delimiter' | 'startAfter') => {
    const value = fields[name]
    if (value === undefined) return {}
    if (typeof value !== 'string') throw wrongField(name, 'ListOptions', 'string')
    return { [name]: value.toWellFormed() }
  }
  const limit = fields.limit === undefined ? undefined : toInt32(fields.limit)
  return {
    ...text('prefix'),
    ...text('cursor'),
    ...text('delimiter'),
    ...text('startAfter'),
    // The native client's word for none.
    ...(limit !== undefined && limit !== -1 && { limit }),
    ...(fields.include !== undefined && { include: readInclude(fields.include) }),
  }
}

/** A part's number, as the native client takes it. @throws TypeError */
export function readPartNumber(input: unknown): number {
  const number = toInt32(input)
  if (number >= 1 && number <= MAX_PARTS) return number
  throw new TypeError(
    `Part number must be between 1 and ${MAX_PARTS} (inclusive). Actual value was: ${number}`,
  )
}

function readFields(input: unknown, method: string, position: number, type: string): Fields {
  if (input === undefined || input === null) return {}
  if (isObject(input)) return input
  throw new TypeError(
    `Failed to execute '${method}' on 'R2Bucket': parameter ${position} is not of type '${type}'.`,
  )
}

function wrongField(field: string, owner: string, type: string): TypeError {
  return new TypeError(
    `Incorrect type for the '${field}' field on '${owner}': the provided value is not of type '${type}'.`,
  )
}

function refuseSsec({ ssecKey }: Fields): void {
  if (ssecKey === undefined || ssecKey === null) return
  throw new Error('SSE-C is not supported: leave `ssecKey` out, or encrypt the value before it is written.')
}

function readConditional({ onlyIf }: Fields, owner: string): Conditional | undefined {
  if (onlyIf === undefined || onlyIf === null) return undefined
  if (!isObject(onlyIf)) throw wrongField('onlyIf', owner, 'Conditional or Headers')
  const headers = readHeaders(onlyIf)
  return headers ? readConditionalHeaders(headers) : readConditionalFields(onlyIf)
}

function readConditionalFields(fields: Fields): Conditional {
  const etag = (name: 'etagMatches' | 'etagDoesNotMatch') => {
    const value = fields[name]
    if (isAbsent(value)) return {}
    if (typeof value !== 'string') throw wrongField(name, 'Conditional', 'string')
    if (value.length > 1 && value.startsWith('"') && value.endsWith('"')) {
      throw new TypeError(`Conditional ETag should not be wrapped in quotes (${value}).`)
    }
    const tag = value === '*' ? { type: 'wildcard' as const } : { type: 'strong' as const, value }
    return { [name]: [tag] }
  }
  const date = (name: 'uploadedBefore' | 'uploadedAfter') => {
    const value = fields[name]
    return isAbsent(value) ? {} : { [name]: readDate(value, name, 'Conditional') }
  }
  return {
    ...etag('etagMatches'),
    ...etag('etagDoesNotMatch'),
    ...date('uploadedBefore'),
    ...date('uploadedAfter'),
    ...(fields.secondsGranularity === true && { secondsGranularity: true }),
  }
}

function readConditionalHeaders(headers: ReadonlyMap<string, string>): Conditional {
  const etags = (header: string, name: string) => {
    const value = headers.get(header)
    if (value === undefined) return {}
    const tags = parseEtags(value)
    if (tags.length === 0) throw new Error(`Invalid ETag in ${header} header`)
    return { [name]: tags }
  }
  const date = (header: string, name: string) => {
    const time = Date.parse(headers.get(header) ?? '')
    return Number.isNaN(time) ? {} : { [name]: time }
  }
  return {
    ...etags('if-match', 'etagMatches'),
    ...etags('if-none-match', 'etagDoesNotMatch'),
    ...date('if-modified-since', 'uploadedAfter'),
    ...date('if-unmodified-since', 'uploadedBefore'),
    secondsGranularity: true,
  }
}

function readRange(range: unknown): Pick<GetOptions, 'range' | 'rangeHeader'> {
  if (range === undefined || range === null) return {}
  // As any other object, an array has a length.
  const fields = Array.isArray(range) ? { length: range.length } : range
  if (!isObject(fields)) throw wrongField('range', 'GetOptions', 'Range or Headers')
  const headers = readHeaders(fields)
  if (headers) {
    const rangeHeader = headers.get('range')
    return rangeHeader === undefined ? {} : { rangeHeader }
  }
  const offset = readBytes(fields.offset, 'Invalid range. Starting offset', 'Invalid range. Starting offset')
  const length = readBytes(fields.length, 'Invalid range. Length', 'Invalid range. Length')
  if (!isAbsent(fields.suffix)) {
    if (offset !== undefined) throw new TypeError('Suffix is incompatible with offset.')
    if (length !== undefined) throw new TypeError('Suffix is incompatible with length.')
  }
  const suffix = readBytes(fields.suffix, 'Invalid suffix. Suffix', 'Invalid range. Suffix')
  const given: RangeOptions = {
    ...(offset !== undefined && { offset }),
    ...(length !== undefined && { length }),
    ...(suffix !== undefined && { suffix }),
  }
  return Object.keys(given).length > 0 ? { range: given } : {}
}

function readBytes(value: unknown, tooSmall: string, fractional: string): number | undefined {
  if (isAbsent(value)) return undefined
  const number = toNumber(value)
  const shown = Number.isNaN(number) ? 'nan' : String(number)
  if (!(number >= 0)) throw new RangeError(`${tooSmall} (${shown}) must be greater than or equal to 0.`)
  if (number !== Math.trunc(number)) {
    throw new RangeError(`${fractional} (${shown}) must be an integer, not floating point.`)
  }
  return Math.min(number, Number.MAX_SAFE_INTEGER)
}

function readMetadata(fields: Fields, owner: string): ObjectMetadata {
  const { httpMetadata, customMetadata, storageClass } = fields
  return {
    ...(!isAbsent(httpMetadata) && httpMetadata !== null && { httpMetadata: readHttp(httpMetadata, owner) }),
    ...(!isAbsent(customMetadata) && { customMetadata: readCustom(customMetadata, owner) }),
    ...(!isAbsent(storageClass) && { storageClass: toText(storageClass) }),
  }
}

const HTTP_FIELDS = {
  contentType: 'content-type',
  contentLanguage: 'content-language',
  contentDisposition: 'content-disposition',
  contentEncoding: 'content-encoding',
  cacheControl: 'cache-control',
} as const

function readHttp(input: unknown, owner: string): HttpMetadata {
  if (!isObject(input)) throw wrongField('httpMetadata', owner, 'HttpMetadata or Headers')
  const headers = readHeaders(input)
  const entries = Object.entries(HTTP_FIELDS).flatMap(([field, header]) => {
    const value = headers ? headers.get(header) : input[field]
    return isAbsent(value) ? [] : [[field, toText(value)]]
  })
  const expires = headers?.get('expires')
  const expiry = headers ? (expires === undefined ? undefined : Date.parse(expires)) : input.cacheExpiry
  const cacheExpiry = isAbsent(expiry) ? undefined : readDate(expiry, 'cacheExpiry', 'HttpMetadata')
  return {
    ...Object.fromEntries(entries),
    ...(cacheExpiry !== undefined && !Number.isNaN(cacheExpiry) && { cacheExpiry }),
  }
}

function readCustom(input: unknown, owner: string): Record<string, string> {
  if (!isObject(input)) throw wrongField('customMetadata', owner, 'object')
  const entries = Object.entries(input).map(([name, value]) => [name.toWellFormed(), toText(value)])
  return Object.fromEntries(entries)
}

function readChecksums(fields: Fields): Checksums | undefined {
  let checksums: Checksums | undefined
  for (const [field, { name, bytes }] of Object.entries(ALGORITHMS)) {
    const value = fields[field]
    if (isAbsent(value)) continue
    if (checksums) throw new TypeError('You cannot specify multiple hashing algorithms.')
    checksums = { [field as Algorithm]: readDigest(value, field, name, bytes) }
  }
  return checksums
}

function readDigest(value: unknown, field: string, name: string, bytes: number): string {
  const binary = isObject(value) && typeof value.$bytes === 'string' ? value.$bytes : undefined
  if (binary !== undefined) {
    if (binary.length === bytes * 2) return binary
    throw new TypeError(`${name} is ${bytes} bytes, not ${binary.length / 2}`)
  }
  if (typeof value !== 'string') throw wrongField(field, 'PutOptions', 'BufferSource or string')
  if (value.length !== bytes * 2) {
    throw new TypeError(`${name} is ${bytes * 2} hex characters, not ${value.length}`)
  }
  if (!/^[0-9a-f]*$/i.test(value)) throw new TypeError(`Provided ${name} wasn't a valid hex string`)
  return value.toLowerCase()
}

function readInclude(input: unknown): ('httpMetadata' | 'customMetadata')[] {
  if (!Array.isArray(input)) throw wrongField('include', 'ListOptions', 'Array')
  return input.map(item => {
    if (item === 'httpMetadata' || item === 'customMetadata') return item
    throw new RangeError(`Unsupported include value ${toText(item)}`)
  })
}

/** The headers that an options object was, with the last of several values that have one name. */
function readHeaders(input: Fields): ReadonlyMap<string, string> | undefined {
  const pairs = input.$headers
  return Array.isArray(pairs) ? new Map(pairs.filter(isPair)) : undefined
}

function isPair(pair: unknown): pair is [string, string] {
  return Array.isArray(pair) && typeof pair[0] === 'string' && typeof pair[1] === 'string'
}

function readDate(value: unknown, field: string, owner: string): number {
  if (typeof value === 'number') return value
  if (isObject(value) && typeof value.$date === 'number') return value.$date
  throw wrongField(field, owner, 'date')
}

function toText(value: unknown): string {
  if (typeof value === 'string') return value.toWellFormed()
  if (!isObject(value)) return String(value)
  if ('$undefined' in value) return 'undefined'
  if (typeof value.$date === 'number') return String(new Date(value.$date))
  return typeof value.$number === 'string' ? value.$number : '[object Object]'
}

function toNumber(value: unknown): number {
  if (isObject(value)) return Number(value.$date ?? value.$number ?? Number.NaN)
  return Number(value)
}

/** As the runtime reads an integer: what is no number is 0, and fractions are cut off. */
function toInt32(value: unknown): number {
  const number = toNumber(value)
  if (!Number.isFinite(number)) return 0
  const integer = Math.trunc(number)
  if (integer >= -(2 ** 31) && integer < 2 ** 31) return integer
  throw new TypeError('Value out of range. Must be between -2147483648 and 2147483647 (inclusive).')
}

function isAbsent(value: unknown): boolean {
  return value === undefined || (isObject(value) && '$undefined' in value)
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
