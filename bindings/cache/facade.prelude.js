// Runs inside the user's isolate, evaluated before the user's code: workerd gives a dynamic isolate no Cache API.
const { Request: NativeRequest, Response: NativeResponse } = globalThis
const { defineProperty } = Object
const OURS = {}
const MAX_NAME_BYTES = 1023
const SHORT_BYTES = 65536
const CONDITIONS = ['range', 'if-range', 'if-none-match', 'if-modified-since']

let ask

const isObject = value => value !== null && (typeof value === 'object' || typeof value === 'function')
const checkReceiver = isOurs => {
  if (isOurs) return
  throw new TypeError(
    'Illegal invocation: function called with incorrect `this` reference. See https://developers.cloudflare.com/workers/observability/errors/#illegal-invocation-errors for details.',
  )
}
const checkConstructor = key => {
  if (key !== OURS) throw new TypeError('Illegal constructor')
}
const wrongType = (place, position, type) =>
  new TypeError(`Failed to execute ${place}: parameter ${position} is not of type '${type}'.`)

class Cache {
  #name
  constructor(...args) {
    checkConstructor(args[0])
    this.#name = args[1]
  }
  match(...args) {
    checkReceiver(isObject(this) && #name in this)
    return match(this.#name, args)
  }
  put(...args) {
    checkReceiver(isObject(this) && #name in this)
    return put(this.#name, args)
  }
  delete(...args) {
    checkReceiver(isObject(this) && #name in this)
    return remove(this.#name, args)
  }
}

class CacheStorage {
  #isOurs = true
  constructor(...args) {
    checkConstructor(args[0])
    defineProperty(this, 'default', { value: new Cache(OURS, ''), enumerable: true, configurable: true })
  }
  open(...args) {
    checkReceiver(isObject(this) && #isOurs in this)
    return open(args)
  }
}

async function open(args) {
  if (args.length === 0) throw wrongType("'open' on 'CacheStorage'", 1, 'string')
  const name = `${args[0]}`
  if (new TextEncoder().encode(name).length > MAX_NAME_BYTES) throw new TypeError('Cache name is too long.')
  return new Cache(OURS, name)
}

async function match(name, args) {
  const request = readRequest(args, 'match')
  if (!readOptions(args[1], 'match') && request.method !== 'GET') return undefined
  const headers = CONDITIONS.map(field => [field, request.headers.get(field)]).filter(
    ([, value]) => value !== null,
  )
  const response = await ask(keyOf(request, name), { headers })
  if (response.headers.get('cf-cache-status') !== 'HIT') return undefined
  return defineProperty(response, 'url', { value: '', configurable: true })
}

async function put(name, args) {
  const request = readRequest(args, 'put')
  const response = args[1]
  if (!(response instanceof NativeResponse)) throw wrongType("'put' on 'Cache'", 2, 'Response')
  if (request.method !== 'GET') throw new TypeError('Cannot cache response to non-GET request.')
  const { status, headers, body, bodyUsed } = response
  if (status === 206) throw new TypeError('Cannot cache response to a range request (206 Partial Content).')
  if (headers.get('vary')?.includes('*')) throw new TypeError("Cannot cache response with 'Vary: *' header.")
  const key = keyOf(request, name)
  if (status === 304) return
  if (status === 101) {
    throw new TypeError(
      'Worker tried to return a WebSocket in a response to a request which did not contain the header "Upgrade: websocket".',
    )
  }
  if (bodyUsed) {
    throw new TypeError(
      'Body has already been used. It can only be used once. Use tee() first if you need to read it twice.',
    )
  }
  if (body?.locked) throw new TypeError('The ReadableStream has been locked to a reader.')
  const cf = { ...key, status, headers: [...headers], isPersonal: request.headers.has('authorization') }
  const { bytes, rest } = await collect(body)
  if (!rest) return void (await ask(cf, { method: 'PUT', body: bytes }))
  let failure
  const marked = mark(bytes, rest, error => {
    failure = { error }
  })
  const { status: outcome } = await ask({ ...cf, isStream: true }, { method: 'PUT', body: marked })
  if (outcome === 400 && failure) throw failure.error
}

const toBytes = chunk =>
  ArrayBuffer.isView(chunk)
    ? new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    : new TextEncoder().encode(chunk)

/** A body's bytes, and a reader of the rest if it is no short one. */
async function collect(body) {
  const reader = body?.getReader()
  let bytes = new Uint8Array()
  while (reader && bytes.length < SHORT_BYTES) {
    const { done, value } = await reader.read()
    if (done) return { bytes }
    const chunk = toBytes(value)
    const both = new Uint8Array(bytes.length + chunk.length)
    both.set(bytes)
    both.set(chunk, bytes.length)
    bytes = both
  }
  return { bytes, rest: reader }
}

/** Ends with its own length: where a body fails, its other end sees nothing but an end. */
function mark(start, reader, onFailure) {
  // Old dates have no other stream that can be made.
  const { readable, writable } = new IdentityTransformStream()
  const writer = writable.getWriter()
  const pump = async () => {
    let bytes = start.length
    await writer.write(start)
    for (let isDone = false; !isDone; ) {
      const { done, value } = await reader.read()
      const chunk = done ? new Uint8Array(new Float64Array([bytes]).buffer) : toBytes(value)
      bytes += chunk.length
      if (chunk.length > 0) await writer.write(chunk)
      isDone = done
    }
    await writer.close()
  }
  pump().catch(async error => {
    onFailure(error)
    await Promise.allSettled([writer.abort(error), reader.cancel(error)])
  })
  return readable
}

async function remove(name, args) {
  const request = readRequest(args, 'delete')
  if (!readOptions(args[1], 'delete') && request.method !== 'GET') return false
  const { status } = await ask(keyOf(request, name), { method: 'DELETE' })
  if (status === 503) throw new Error('Unable to delete cached response.')
  return status === 200
}

function readRequest(args, method) {
  if (args.length === 0) throw wrongType(`'${method}' on 'Cache'`, 1, 'Request or string')
  return args[0] instanceof NativeRequest ? args[0] : new NativeRequest(args[0])
}

/** Whether the method is to be ignored. */
function readOptions(options, method) {
  if (options === undefined || options === null) return false
  if (!isObject(options)) throw wrongType(`'${method}' on 'Cache'`, 2, 'CacheQueryOptions')
  for (const field of ['ignoreSearch', 'ignoreVary']) {
    if (options[field] === undefined) continue
    throw new Error(`The '${field}' field on 'CacheQueryOptions' is not implemented.`)
  }
  return options.ignoreMethod
}

function keyOf(request, name) {
  const { host, username, password, href } = parseUrl(request.url)
  if (!host || username || password) {
    throw new TypeError('Invalid URL. Cache API keys must be fully-qualified, valid URLs.')
  }
  const own = request.cf?.cacheKey
  return { name, url: own ? `${own}` : href.replace(/#.*/, '') }
}

/** Requests of old dates may have any text for a URL. */
function parseUrl(text) {
  try {
    return new URL(text)
  } catch {
    return {}
  }
}

function finish(type, methods, missing) {
  const { name, prototype } = type
  for (const method of missing) {
    const fail = {
      [method]() {
        throw new Error(`Failed to execute '${method}' on '${name}': the method is not implemented.`)
      },
    }
    defineProperty(prototype, method, { value: fail[method], writable: true, configurable: true })
  }
  for (const method of [...methods, ...missing]) defineProperty(prototype, method, { enumerable: true })
  defineProperty(prototype, Symbol.toStringTag, { value: name, configurable: true })
}

/** Puts a Cache API over the platform's stub in the place of the one that doesn't work. */
export function install(stub) {
  ask = (cf, init) => stub.fetch('http://caches/', { ...init, cf, redirect: 'manual' })
  finish(Cache, ['match', 'put', 'delete'], ['add', 'addAll', 'matchAll', 'keys'])
  finish(CacheStorage, ['open'], ['delete', 'match', 'has', 'keys'])
  const globals = { Cache, CacheStorage, caches: new CacheStorage(OURS) }
  for (const [name, value] of Object.entries(globals)) {
    const enumerable = name === 'caches'
    defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable })
  }
}
