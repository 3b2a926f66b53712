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
const remove = removeEventListener
const scope = globalThis
const listeners = { fetch: [], scheduled: [] }

const EXECUTE = "Failed to execute 'respondWith' on 'FetchEvent':"
const ALREADY = 'FetchEvent.respondWith() has already been called; it can only be called once.'
const TOO_LATE =
  'Too late to call FetchEvent.respondWith(). It must be called synchronously in the event handler.'
const NOT_RESPONSE = "Incorrect type for Promise: the Promise did not resolve to 'Response'."
const CONSUMED = "Script consumed request body but didn't call respondWith(). Can't forward request."
const PREVENTED = 'preventDefault() called but respondWith() not called'

class EventBase extends NativeEvent {
  #ctx
  #stopped = false
  constructor(type, ctx) {
    super(type)
    this.#ctx = ctx
    // Own properties: on old dates the native ones are too.
    for (const name of ['target', 'currentTarget', 'srcElement']) defineProperty(this, name, { value: scope })
    defineProperty(this, 'eventPhase', { value: NativeEvent.AT_TARGET })
  }
  waitUntil(promise) {
    this.#ctx.waitUntil(promise)
  }
  stopImmediatePropagation() {
    this.#stopped = true
  }
  static isStopped(event) {
    return event.#stopped
  }
}

const shared = ['waitUntil', 'stopImmediatePropagation'].map(name => [
  name,
  getOwnPropertyDescriptor(EventBase.prototype, name),
])

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
  // As natively: it counts, though the event isn't cancelable and `defaultPrevented` stays false.
  preventDefault() {
    this.#prevented = true
  }
  respondWith(response) {
    if (!(response instanceof NativeResponse) && typeof response?.then !== 'function') {
      throw new NativeTypeError(`${EXECUTE} parameter 1 is not of type 'Promise'.`)
    }
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
    if (event.#state === 'called') return event.#response
    event.#state = 'closed'
    if (event.#prevented) throw new Exception(PREVENTED, 'InvalidStateError')
    return undefined
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
  for (const [name, member] of shared) defineProperty(ours.prototype, name, member)
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
  scope.addEventListener = addListener
  scope.removeEventListener = removeListener
  indirectEval(`${source}\n//# sourceURL=${name}`)

  const exports = { __proto__: null }
  if (listeners.fetch.length > 0) exports.default = { fetch: handleFetch }
  if (listeners.scheduled.length > 0) exports.default = { ...exports.default, scheduled: handleScheduled }
  return exports
}

// Listeners of the two events are also kept here: the global dispatchEvent() only reports what they throw, from
// 2024 on, where the request has to fail.
function addListener(type, listener, options) {
  apply(add, scope, [type, listener, options])
  const list = listenersOf(type)
  if (!list || !listener || list.some(entry => entry.listener === listener)) return
  list.push({ listener, once: options?.once === true })
  options?.signal?.addEventListener('abort', () => drop(list, listener))
}

function removeListener(type, listener, options) {
  apply(remove, scope, [type, listener, options])
  const list = listenersOf(type)
  if (list) drop(list, listener)
}

function listenersOf(type) {
  return type === 'fetch' ? listeners.fetch : type === 'scheduled' ? listeners.scheduled : undefined
}

function drop(list, listener) {
  const index = list.findIndex(entry => entry.listener === listener)
  if (index >= 0) list.splice(index, 1)
}

function dispatch(event, list) {
  for (const { listener, once } of [...list]) {
    if (EventBase.isStopped(event)) return
    if (once) removeListener(event.type, listener)
    if (typeof listener === 'function') apply(listener, scope, [event])
    else listener.handleEvent(event)
  }
}

function handleFetch(request, _env, ctx) {
  const event = new RequestEvent(request, ctx)
  dispatch(event, listeners.fetch)
  const response = RequestEvent.close(event)
  if (response) {
    return response.then(value => {
      if (value instanceof NativeResponse) return value
      throw new NativeTypeError(NOT_RESPONSE)
    })
  }
  if (request.bodyUsed) throw new NativeTypeError(CONSUMED)
  return forward(request)
}

function handleScheduled(controller, _env, ctx) {
  dispatch(new CronEvent(controller, ctx), listeners.scheduled)
}
