// Cloudflare's R2Bucket in a function's isolate: hands what it is asked to bindings/r2/entrypoint.ts, by fetch, so
// that bodies are streams from end to end. Names, properties and their order are those of workerd's classes. What
// is wrong with options is found by the other side; what can't be sent is found here.
const HEADER = 'skerry-r2'
const HTTP = [
  'contentType',
  'contentLanguage',
  'contentDisposition',
  'contentEncoding',
  'cacheControl',
  'cacheExpiry',
]
const SUMS = ['sha512', 'sha384', 'sha256', 'sha1', 'md5']
const UPLOAD = 'R2MultipartUpload'
const TOKEN = {}
const stubs = new WeakMap()

const wrong = (method, n, type = 'string', on = 'R2Bucket') =>
  new TypeError(`Failed to execute '${method}' on '${on}': parameter ${n} is not of type '${type}'.`)

// The stub behind a bucket, whose method was given something, or behind an upload.
const open = (self, method, given, type) => {
  const stub = stubs.get(self)
  if (!stub) {
    const see = 'https://developers.cloudflare.com/workers/observability/errors/#illegal-invocation-errors'
    throw new TypeError(
      `Illegal invocation: function called with incorrect \`this\` reference. See ${see} for details.`,
    )
  }
  if (given?.length === 0) throw wrong(method, 1, type)
  return stub
}

const bytesOf = value =>
  ArrayBuffer.isView(value)
    ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
    : value instanceof ArrayBuffer && new Uint8Array(value)

// Options as JSON can carry them, see bindings/r2/arguments.ts.
const flat = (value, depth = 0) => {
  if (value === undefined && depth > 1) return { $undefined: 1 }
  if (typeof value === 'number' && !Number.isFinite(value)) return { $number: `${value}` }
  if (typeof value === 'function') return {}
  if (typeof value !== 'object' || value === null) return value
  const bytes = bytesOf(value)
  if (bytes) return { $bytes: bytes.toHex() }
  if (value instanceof Headers) return { $headers: [...value] }
  if (value instanceof Date) return { $date: value.getTime() }
  if (depth > 1) return String(value)
  if (Array.isArray(value)) return value.map(item => flat(item, 2))
  const result = {}
  for (const key in value) result[key] = flat(value[key], depth + 1)
  return result
}

const toBody = (value, method, on) => {
  if (value instanceof ReadableStream) {
    if (value.locked) throw new TypeError('The ReadableStream has been locked to a reader.')
  } else if (typeof value !== 'string' && !(value instanceof Blob) && !bytesOf(value)) {
    throw wrong(method, 2, 'JsReadableStream or ArrayBuffer or ArrayBufferView or string or Blob', on)
  }
  return value
}

const decode = (response, name) => JSON.parse(decodeURIComponent(response.headers.get(name) ?? 'null'))
const call = async (stub, method, args, body) => {
  const json = JSON.stringify(args)
  const init = body === undefined ? { body: json } : { body, headers: { [HEADER]: encodeURIComponent(json) } }
  const response = await stub.fetch(`http://r2/${method}`, { method: 'POST', ...init })
  const error = decode(response, `${HEADER}-error`)
  if (error) throw new ({ TypeError, RangeError }[error.name] ?? Error)(error.message)
  return response
}
const ask = async (...args) => (await call(...args)).json()

class Base {
  constructor(token, values) {
    if (token !== TOKEN) throw new TypeError('Illegal constructor')
    for (const key in values) Object.defineProperty(this, key, { value: values[key], enumerable: true })
  }
}

class Checksums extends Base {
  toJSON() {
    const texts = SUMS.toReversed().map(name => [name, this[name] && new Uint8Array(this[name]).toHex()])
    return Object.fromEntries(texts)
  }
}

class HeadResult extends Base {
  writeHttpMetadata(headers) {
    if (!(headers instanceof Headers)) throw wrong('writeHttpMetadata', 1, 'Headers', 'HeadResult')
    for (const name of HTTP) {
      const value = this.httpMetadata[name]
      if (value instanceof Date) headers.set('expires', value.toUTCString())
      else if (value !== undefined) headers.set(name.replace(/[A-Z]/, '-$&'), value)
    }
  }
}

class GetResult extends HeadResult {
  #body
  constructor(token, values, response) {
    super(token, values)
    this.#body = response
  }
  get body() {
    return this.#body.body
  }
  get bodyUsed() {
    return this.#body.bodyUsed
  }
  async arrayBuffer() {
    return this.#body.arrayBuffer()
  }
  async bytes() {
    return this.#body.bytes()
  }
  async text() {
    return this.#body.text()
  }
  async json() {
    return this.#body.json()
  }
  async blob() {
    return new Blob([await this.arrayBuffer()], { type: this.httpMetadata.contentType })
  }
}

const toObject = (object, response) => {
  if (!object) return object
  const { checksums, httpMetadata: http, range, etag, size, version, key } = object
  const sums = {}
  for (const name of SUMS) sums[name] = checksums[name] && Uint8Array.fromHex(checksums[name]).buffer
  const httpMetadata = {}
  for (const name of HTTP) httpMetadata[name] = http[name]
  if (http.cacheExpiry !== undefined) httpMetadata.cacheExpiry = new Date(http.cacheExpiry)
  const values = {
    ssecKeyMd5: undefined,
    storageClass: object.storageClass,
    range: range && { ...range, suffix: undefined },
    customMetadata: object.customMetadata,
    httpMetadata,
    uploaded: new Date(object.uploaded),
    checksums: new Checksums(TOKEN, sums),
    httpEtag: `"${etag}"`,
    ...{ etag, size, version, key },
  }
  return response ? new GetResult(TOKEN, values, response) : new HeadResult(TOKEN, values)
}

class R2MultipartUpload extends Base {
  async uploadPart(partNumber, value) {
    const body = toBody(value, 'uploadPart', UPLOAD)
    return ask(open(this), 'uploadPart', [this.key, this.uploadId, flat(partNumber, 2)], body)
  }
  async complete(parts) {
    if (!Array.isArray(parts)) throw wrong('complete', 1, 'Array', UPLOAD)
    const list = parts.map(part => flat(part, 1))
    return toObject(await ask(open(this), 'completeMultipartUpload', [this.key, this.uploadId, list]))
  }
  async abort() {
    await call(open(this), 'abortMultipartUpload', [this.key, this.uploadId])
  }
}
const toUpload = (stub, key, uploadId) => {
  const upload = new R2MultipartUpload(TOKEN, { uploadId: `${uploadId}`, key: `${key}` })
  stubs.set(upload, stub)
  return upload
}

class R2Bucket extends Base {
  async head(...args) {
    return toObject(await ask(open(this, 'head', args), 'head', [`${args[0]}`]))
  }
  async get(...args) {
    const response = await call(open(this, 'get', args), 'get', [`${args[0]}`, flat(args[1])])
    const object = decode(response, HEADER)
    return toObject(object, object?.hasBody && response)
  }
  async put(...args) {
    const [key, value, options] = args
    const stub = open(this, 'put', args)
    const body = args.length > 1 && value == null ? null : toBody(value, 'put')
    return toObject(await ask(stub, 'put', [`${key}`, flat(options)], body))
  }
  async createMultipartUpload(...args) {
    const name = 'createMultipartUpload'
    const stub = open(this, name, args)
    return toUpload(stub, args[0], await ask(stub, name, [`${args[0]}`, flat(args[1])]))
  }
  resumeMultipartUpload(...args) {
    const name = 'resumeMultipartUpload'
    const stub = open(this, name, args)
    if (args.length < 2) throw wrong(name, 2)
    return toUpload(stub, ...args)
  }
  async delete(...args) {
    const [keys] = args
    const stub = open(this, 'delete', args, 'string or Array')
    await call(stub, 'delete', [Array.isArray(keys) ? keys.map(key => `${key}`) : `${keys}`])
  }
  async list(options) {
    // Before that flag's date, lists always had all metadata.
    const isOld = globalThis.Cloudflare?.compatibilityFlags?.r2_list_honor_include === false
    const page = await ask(open(this), 'list', [flat(options), isOld])
    const { objects, truncated, cursor, delimitedPrefixes } = page
    return { objects: objects.map(object => toObject(object)), truncated, cursor, delimitedPrefixes }
  }
}

for (const type of [R2Bucket, HeadResult, GetResult, R2MultipartUpload, Checksums]) {
  Object.defineProperty(type.prototype, Symbol.toStringTag, { value: type.name })
}

export const create = stub => {
  const bucket = new R2Bucket(TOKEN)
  stubs.set(bucket, stub)
  return bucket
}
