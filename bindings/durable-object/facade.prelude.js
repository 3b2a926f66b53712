// Runs inside the user's isolate, evaluated before the user's code: the client of Durable Objects.
import { RpcTarget } from 'cloudflare:workers'

const { apply, defineProperty, get: read } = Reflect
const NativeProxy = Proxy
const encoder = new TextEncoder()
// Says which object a request is for: percent-encoded JSON.
const HEADER = 'skerry-object'
const JURISDICTIONS = ['', 'eu', 'fedramp', 'fedramp-high', 'us']

const mismatch = (method, owner, position, type) =>
  new TypeError(
    `Failed to execute '${method}' on '${owner}': parameter ${position} is not of type '${type}'.`,
  )

/** The namespace that a binding gives. */
export const create = ({ objects, id }) => new DurableObjectNamespace(objects, id)

class DurableObjectNamespace {
  #objects
  #id
  #jurisdiction

  constructor(objects, id, jurisdiction) {
    this.#objects = objects
    this.#id = id
    this.#jurisdiction = jurisdiction
  }
  newUniqueId(options) {
    const jurisdiction = options?.jurisdiction ?? this.#jurisdiction
    checkJurisdiction(jurisdiction)
    const random = toHex(crypto.getRandomValues(new Uint8Array(16)))
    return new DurableObjectId(
      this.#id,
      jurisdiction,
      undefined,
      random + seal(this.#id, jurisdiction, random),
    )
  }
  idFromName(...args) {
    if (args.length === 0) throw mismatch('idFromName', 'DurableObjectNamespace', 1, 'string')
    const [name] = args
    return new DurableObjectId(this.#id, this.#jurisdiction, `${name}`.toWellFormed())
  }
  idFromString(text) {
    const hex = `${text}`.toLowerCase()
    if (!/^[0-9a-f]{64}$/.test(hex)) throw new TypeError('Invalid Durable Object ID: must be 64 hex digits')
    const own = this.#jurisdiction === undefined ? JURISDICTIONS : [this.#jurisdiction]
    const jurisdiction = own.find(at => seal(this.#id, at || undefined, hex.slice(0, 32)) === hex.slice(32))
    if (jurisdiction === undefined) throw new TypeError('Durable Object ID is not valid for this namespace.')
    return new DurableObjectId(this.#id, jurisdiction || undefined, undefined, hex)
  }
  get(id, options) {
    if (!DurableObjectId.is(id)) throw mismatch('get', 'DurableObjectNamespace', 1, 'DurableObjectId')
    if (!DurableObjectId.isOf(id, this.#id, this.#jurisdiction)) {
      throw new TypeError('Durable Object ID is not valid for this namespace.')
    }
    checkOptions(options, 'get')
    return createStub(this.#objects, id)
  }
  getByName(name, options) {
    checkOptions(options, 'getByName')
    return createStub(this.#objects, this.idFromName(name))
  }
  jurisdiction(jurisdiction) {
    const wanted = jurisdiction ?? undefined
    checkJurisdiction(wanted)
    return new DurableObjectNamespace(this.#objects, this.#id, wanted)
  }
}

export class DurableObjectId {
  #namespace
  #hex

  constructor(namespace, jurisdiction, name, hex) {
    this.#namespace = namespace
    this.#hex = hex
    this.jurisdiction = jurisdiction
    this.name = name
    defineProperty(this, 'jurisdiction', { writable: false })
    defineProperty(this, 'name', { writable: false })
  }
  toString() {
    this.#hex ??= toNamedId(this.#namespace, this.jurisdiction, this.name)
    return this.#hex
  }
  equals(other) {
    if (!DurableObjectId.is(other)) throw mismatch('equals', 'DurableObjectId', 1, 'DurableObjectId')
    return this.toString() === other.toString()
  }
  static is(value) {
    return typeof value === 'object' && value !== null && #hex in value
  }
  // Without the id where there is a name: a digest costs an isolate that just started up to a millisecond, and the
  // platform makes it as well.
  static addressOf(id) {
    const { name, jurisdiction } = id
    return name === undefined || id.#hex !== undefined
      ? { id: id.toString(), name, jurisdiction }
      : { name, jurisdiction }
  }
  static isOf(id, namespace, jurisdiction) {
    return id.#namespace === namespace && (jurisdiction === undefined || id.jurisdiction === jurisdiction)
  }
}

// What a stub is named and what it isn't asked for by RPC. As an argument or result of RPC, it goes as a target.
class DurableObject extends RpcTarget {
  #objects
  #id

  constructor(objects, id) {
    super()
    this.#objects = objects
    this.#id = id
    this.name = id.name
    this.id = id
  }
  async fetch(...args) {
    if (args.length === 0) throw mismatch('fetch', 'Fetcher', 1, 'Request or string')
    const request = new Request(...args)
    request.headers.set(HEADER, encodeURIComponent(JSON.stringify(addressOf(this.#id))))
    return this.#objects.fetch(request)
  }
  // Asked for when it is passed on.
  dup() {
    return createStub(this.#objects, this.#id)
  }
}
// As the runtime's own classes, by date.
if (globalThis.Cloudflare?.compatibilityFlags?.set_tostring_tag) {
  for (const type of [DurableObjectNamespace, DurableObjectId, DurableObject]) {
    defineProperty(type.prototype, Symbol.toStringTag, { value: type.name, configurable: true })
  }
}

function createStub(objects, id) {
  const stub = new DurableObject(objects, id)
  const call = (path, args) => objects.callObject(addressOf(id), path, args)
  return new NativeProxy(stub, {
    get(_, key) {
      if (typeof key === 'string' && key !== 'then' && !(key in stub)) return createMember(call, [key])
      const value = read(stub, key)
      return value === fetchObject || value === dup ? (...args) => apply(value, stub, args) : value
    },
    has: () => true,
  })
}
const { fetch: fetchObject, dup } = DurableObject.prototype
const { addressOf } = DurableObjectId

/** A method or property of an object, or of what it has: called, awaited, or asked for more. */
function createMember(call, path) {
  return new NativeProxy(() => {}, {
    apply: (_, __, args) => call(path, args),
    get(_, key) {
      if (typeof key === 'symbol') return undefined
      if (key !== 'then' && key !== 'catch' && key !== 'finally') return createMember(call, [...path, key])
      const value = call(path)
      return (...args) => value[key](...args)
    },
  })
}

function checkJurisdiction(jurisdiction) {
  if (jurisdiction !== undefined && (!jurisdiction || !JURISDICTIONS.includes(jurisdiction))) {
    throw new TypeError(`Unknown jurisdiction: ${jurisdiction}. Known are eu, fedramp, fedramp-high and us.`)
  }
}

function checkOptions(options, method) {
  if (options === undefined || options === null) return
  if (typeof options !== 'object') {
    throw mismatch(method, 'DurableObjectNamespace', 2, 'GetDurableObjectOptions')
  }
  const { routingMode } = options
  if (routingMode !== undefined && routingMode !== 'primary-only') {
    throw new RangeError(`unknown routingMode: ${routingMode}`)
  }
}

function toNamedId(namespace, jurisdiction, name) {
  const half = digest(`${namespace}/name/${jurisdiction ?? ''}/${name}`)
  return half + seal(namespace, jurisdiction, half)
}

/** What ties the first half of an id to its namespace. */
function seal(namespace, jurisdiction, half) {
  return digest(`${namespace}/id/${jurisdiction ?? ''}/${half}`)
}

function toHex(bytes) {
  let text = ''
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0')
  return text
}

const fraction = x => ((x - Math.floor(x)) * 2 ** 32) | 0
let tables
const makeTables = () => {
  const roots = []
  const cubes = []
  for (let n = 2; cubes.length < 64; n++) {
    if (cubes.some((_, at) => roots[at] && n % roots[at] === 0)) continue
    roots.push(n)
    cubes.push(fraction(Math.cbrt(n)))
  }
  return [roots.slice(0, 8).map(n => fraction(Math.sqrt(n))), cubes]
}

/** The first 16 bytes of a text's SHA-256 as hex digits: ids are made without waiting. */
function digest(text) {
  tables ??= makeTables()
  const [initial, round] = tables
  const bytes = encoder.encode(text)
  const padded = new Uint8Array(((bytes.length + 72) >> 6) << 6)
  padded.set(bytes)
  padded[bytes.length] = 128
  const view = new DataView(padded.buffer)
  view.setUint32(padded.length - 4, bytes.length * 8)
  const state = initial.slice()
  const w = new Int32Array(64)
  for (let at = 0; at < padded.length; at += 64) {
    let [a, b, c, d, e, f, g, h] = state
    for (let i = 0; i < 64; i++) {
      if (i < 16) w[i] = view.getInt32(at + i * 4)
      else {
        const x = w[i - 15]
        const y = w[i - 2]
        const s0 = turn(x, 7) ^ turn(x, 18) ^ (x >>> 3)
        w[i] = w[i - 16] + s0 + w[i - 7] + (turn(y, 17) ^ turn(y, 19) ^ (y >>> 10))
      }
      const t = h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + round[i] + w[i]
      const u = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))
      h = g
      g = f
      f = e
      e = (d + t) | 0
      d = c
      c = b
      b = a
      a = (t + u) | 0
    }
    for (const [i, value] of [a, b, c, d, e, f, g, h].entries()) state[i] = (state[i] + value) | 0
  }
  return state
    .slice(0, 4)
    .map(word => (word >>> 0).toString(16).padStart(8, '0'))
    .join('')
}
const turn = (x, n) => (x >>> n) | (x << (32 - n))
