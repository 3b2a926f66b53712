// Runs a script in service-worker syntax inside a module isolate, where the native event classes exist but
// nothing dispatches them.
import { env } from 'cloudflare:workers'

// biome-ignore lint/security/noGlobalEval: the script is to run as a script, in the global scope
const indirectEval = eval
const { apply, defineProperty, getOwnPropertyDescriptor, ownKeys, setPrototypeOf } = Reflect
const NativeEvent = Event
const NativePromise = Promise
const NativeResponse = Response
const NativeTypeError = TypeError
const Exception = DOMException
const forward = fetch
const add = addEventListener
const dispatch = dispatchEvent
const scope = globalThis

const EXECUTE = "Failed to execute 'respondWith' on 'FetchEvent':"
const ALREADY = 'FetchEvent.respondWith() has already been called; it can only be called once.'
const TOO_LATE =
  'Too late to call FetchEvent.respondWith(). It must be called synchronously in the event handler.'
const CONSUMED = "Script consumed request body but didn't call respondWith(). Can't forward request."
const PREVENTED = 'preventDefault() called but respondWith() not called'

class EventBase extends NativeEvent {
  #ctx
  constructor(type, ctx) {
    super(type)
    this.#ctx = ctx
  }
  waitUntil(promise) {
    this.#ctx.waitUntil(promise)
  }
}

const waitUntilMember = getOwnPropertyDescriptor(EventBase.prototype, 'waitUntil')

class RequestEvent extends EventBase {
  #ctx
  #request
  #prevented = false
  #state = 'open'
  #response
  constructor(request, ctx) {
    super('fetch', ctx)
    this.#ctx = ctx
    this.#request = request
  }
  get request() {
    return this.#request
  }
  // As natively: not cancelable, and can be prevented all the same.
  get defaultPrevented() {
    return this.#prevented
  }
  preventDefault() {
    this.#prevented = true
  }
  respondWith(response) {
    if (!(response instanceof NativeResponse) && typeof response?.then !== 'function') {
      throw new NativeTypeError(`${EXECUTE} parameter 1 is not of type 'Promise'.`)
    }
    this.#prevented = true
    if (this.#state === 'called') throw new Exception(ALREADY, 'InvalidStateError')
    if (this.#state === 'closed') throw new Exception(TOO_LATE, 'InvalidStateError')
    this.#state = 'called'
    this.#response = NativePromise.resolve(response)
    this.stopImmediatePropagation()
  }
  passThroughOnException() {
    this.#ctx.passThroughOnException()
  }
  static close(event) {
    const answered = event.#state === 'called'
    if (!answered) event.#state = 'closed'
    return answered ? event.#response : undefined
  }
}

class CronEvent extends EventBase {
  #controller
  constructor(controller, ctx) {
    super('scheduled', ctx)
    this.#controller = controller
  }
  get scheduledTime() {
    return this.#controller.scheduledTime
  }
  get cron() {
    return this.#controller.cron
  }
  noRetry() {
    this.#controller.noRetry()
  }
}

// The native constructors can't be called, but `event instanceof FetchEvent` must hold: ours inherit from the
// native prototypes, and shadow every native member, which would refuse an object that isn't native.
inherit(EventBase, ExtendableEvent)
inherit(RequestEvent, FetchEvent)
inherit(CronEvent, ScheduledEvent)

function inherit(ours, native) {
  setPrototypeOf(ours.prototype, native.prototype)
  defineProperty(ours.prototype, 'waitUntil', waitUntilMember)
  defineProperty(ours.prototype, 'constructor', { value: native, writable: true, configurable: true })
}

/**
 * Evaluates the script with its bindings as globals, and gives the exports that a module Worker would have.
 * `parts` are the bindings whose values are modules of the upload (wasm, text, data).
 */
export function runServiceWorker(source, name, parts) {
  for (const values of [env, parts]) {
    for (const key of ownKeys(values)) {
      defineProperty(scope, key, { value: values[key], writable: true, configurable: true, enumerable: true })
    }
  }
  const types = new Set()
  scope.addEventListener = (type, ...rest) => {
    types.add(`${type}`)
    return apply(add, scope, [type, ...rest])
  }
  try {
    indirectEval(`${source}\n//# sourceURL=${name}`)
  } finally {
    scope.addEventListener = add
  }

  const exports = { __proto__: null }
  if (types.has('fetch')) exports.default = { fetch: handleFetch }
  if (types.has('scheduled')) exports.default = { ...exports.default, scheduled: handleScheduled }
  return exports
}

function handleFetch(request, _env, ctx) {
  const event = new RequestEvent(request, ctx)
  apply(dispatch, scope, [event])
  const response = RequestEvent.close(event)
  if (response) {
    return response.then(value => {
      if (value instanceof NativeResponse) return value
      throw new NativeTypeError('FetchEvent.respondWith() expects a Response or a promise of one.')
    })
  }
  if (event.defaultPrevented) throw new Exception(PREVENTED, 'InvalidStateError')
  if (request.bodyUsed) throw new NativeTypeError(CONSUMED)
  return forward(request)
}

function handleScheduled(controller, _env, ctx) {
  apply(dispatch, scope, [new CronEvent(controller, ctx)])
}
