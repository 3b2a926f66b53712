// The native producer's class over the stub of QueueEntrypoint. It serialises in the caller's isolate, so that
// toJSON(), getters and their errors are the caller's own; QueueEntrypoint says what is wrong with the rest.
const utf8 = new TextEncoder()
const flags = Cloudflare.compatibilityFlags

class WorkerQueue {
  #stub
  constructor(stub) {
    this.#stub = stub
  }
  async metrics() {
    return read(await this.#stub.metrics())
  }
  async send(...args) {
    return read(await this.#stub.send(args.length, pack(...args)))
  }
  async sendBatch(list, options) {
    const isObject = value => Object(value) === value
    const items =
      isObject(list) &&
      list[Symbol.iterator] &&
      Array.from(list, item => isObject(item) && pack(item.body, item))
    return read(await this.#stub.sendBatch(items, delayOf(options)))
  }
  get [Symbol.toStringTag]() {
    return 'WorkerQueue'
  }
}

export const create = stub => new WorkerQueue(stub)

const encode = {
  __proto__: null,
  json: body => utf8.encode(JSON.stringify(body)),
  v8: body => structuredClone(body),
  text: body => typeof body === 'string' && utf8.encode(body),
  // A copy: a view would take all of its buffer along.
  bytes: body =>
    ArrayBuffer.isView(body) && new Uint8Array(body.buffer, body.byteOffset, body.byteLength).slice(),
}

function pack(body, options) {
  const { contentType = flags.queues_json_messages ? 'json' : 'v8' } = options ?? {}
  const type = `${contentType}`.toLowerCase()
  const delay = delayOf(options)
  return { type, options: typeof options, kind: typeof body, delay, body: encode[type]?.(body) }
}

function delayOf(options) {
  const delay = options?.delaySeconds
  return delay && Math.trunc(+delay)
}

function read({ ok, error, code, type, failed }) {
  if (!error) return ok
  throw type
    ? new TypeError(error)
    : new Error(flags.queue_expose_error_codes ? `${error} (${code})` : failed)
}
