// Runs inside the user's isolate, evaluated before the user's code. Everything that user code could patch
// later is captured here, first; what is built from it is frozen.
import {
  abortIsolate,
  DurableObject,
  WorkerEntrypoint,
  WorkflowEntrypoint,
  waitUntil,
} from 'cloudflare:workers'

const { apply, defineProperty, getOwnPropertyDescriptor, getPrototypeOf, ownKeys } = Reflect
const { freeze } = Object
const { stringify } = JSON
const NativePromise = Promise
const { then } = Promise.prototype
const { slice } = String.prototype
const clock = scheduler
const { wait } = clock

const HANDLERS = freeze([
  'fetch',
  'scheduled',
  'queue',
  'email',
  'tail',
  'trace',
  'tailStream',
  'connect',
  'test',
  'alarm',
  'webSocketMessage',
  'webSocketClose',
  'webSocketError',
])
const NativeError = Error
// A hostile getPrototypeOf trap can answer for ever.
const MAX_DEPTH = 100

/**
 * The platform's own entrypoint for this isolate, over the exports of the user's main module. Harmless in
 * other hands: whoever calls this gets an entrypoint over their own exports only.
 */
export function createHarness(user) {
  class Harness extends WorkerEntrypoint {
    // A string, built without touching any prototype: arrays and objects could carry a planted `then` or `toJSON`.
    describe() {
      const names = ownKeys(user)
      let text = ''
      for (let i = 0; i < names.length; i++) {
        if (typeof names[i] !== 'string') continue
        text += `${text && ','}${describeExport(names[i], user)}`
      }
      return `[${text}]`
    }

    // In-flight requests finish; the next use of the same id loads anew. `waitUntil` keeps this event alive
    // until then. An event that still waits when the isolate is aborted is an error in workerd's log.
    evict() {
      let settle
      waitUntil(
        new NativePromise(resolve => {
          settle = resolve
        }),
      )
      abortSoon(settle)
      return true
    }

    // For hosts without native delivery of events to a dynamic isolate. Not named like a handler: workerd would
    // call it natively.
    async runScheduled(event) {
      let noRetry = false
      const controller = freeze({
        cron: event.cron,
        scheduledTime: event.scheduledTime,
        type: 'scheduled',
        noRetry() {
          noRetry = true
        },
      })
      const { outcome, error, isMissing } = await runEvent(user.default, 'scheduled', controller, this)
      // As natively: another try would find no handler either.
      return `{"outcome":"${outcome}","noRetry":${noRetry || isMissing}${error}}`
    }

    // Likewise. Verdicts are by a message's place in the batch.
    async runQueue({ queue, metadata, messages }) {
      const verdicts = { __proto__: null, ackAll: false, retry: '' }
      const event = freeze({
        queue,
        metadata,
        messages: toMessages(messages, verdicts),
        ackAll() {
          if (!verdicts.retry) verdicts.ackAll = true
        },
        retryAll(options) {
          if (!verdicts.ackAll) verdicts.retry = delayOf(options)
        },
      })
      const { outcome, error } = await runEvent(user.default, 'queue', event, this)
      let each = ''
      for (let i = 0; i < messages.length; i++) each += `${i ? ',' : ''}${verdicts[i] ?? 'null'}`
      const { ackAll, retry } = verdicts
      return `{"outcome":"${outcome}"${error},"ackAll":${ackAll},"retry":${retry || null},"each":[${each}]}`
    }

    // Traces arrive as plain objects: what a client sent whole is behind a method, as natively.
    async runTail(items) {
      for (let i = 0; i < items.length; i++) {
        const request = items[i].event?.request
        if (!request?.whole) continue
        const { whole } = request
        delete request.whole
        request.getUnredacted = () => whole
      }
      const target = user.default
      if (extendsClass(target, WorkerEntrypoint)) await new target(this.ctx, this.env).tail(items)
      else await target.tail(items, this.env, this.ctx)
    }
  }
  freeze(Harness.prototype)
  return freeze(Harness)
}

// In a turn of its own. Not by setTimeout: Node's, which recent dates have, iterates over arrays. And `await` asks
// a promise for its constructor.
async function abortSoon(settle) {
  const turn = apply(wait, clock, [0])
  defineProperty(turn, 'constructor', { __proto__: null, value: NativePromise })
  await turn
  settle()
  abortIsolate('evicted')
}

/** Runs a handler and waits for what it passed to `ctx.waitUntil`; `error` is JSON, or nothing. */
async function runEvent(target, name, event, { ctx, env }) {
  const pending = trackWaitUntil(ctx)
  let outcome = 'ok'
  let error = ''
  let isMissing = false
  const fail = text => {
    if (outcome === 'ok') error = `,"error":${stringify(text)}`
    outcome = 'exception'
  }
  try {
    const isClass = extendsClass(target, WorkerEntrypoint)
    const instance = isClass ? new target(ctx, env) : target
    if (typeof instance?.[name] !== 'function') {
      isMissing = true
      throw new NativeError(`Handler does not export a ${name}() function.`)
    }
    await (isClass ? instance[name](event, undefined, undefined) : instance[name](event, env, ctx))
  } catch (reason) {
    fail(describeError(reason))
  }
  // The work may add more work.
  for (let i = 0; i < pending.count; i++) {
    const failure = await pending[i]
    if (failure !== undefined) fail(failure)
  }
  return { __proto__: null, outcome, error, isMissing }
}

/** The first word on a message counts, as natively. */
function toMessages(messages, verdicts) {
  const list = []
  for (let i = 0; i < messages.length; i++) {
    const { id, timestamp, attempts, body } = messages[i]
    const isOpen = () => !verdicts.ackAll && verdicts[i] === undefined
    list[i] = freeze({
      id,
      timestamp,
      attempts,
      body,
      ack() {
        if (isOpen() && !verdicts.retry) verdicts[i] = '"ack"'
      },
      retry(options) {
        if (isOpen()) verdicts[i] = delayOf(options)
      },
    })
  }
  return freeze(list)
}

/** Seconds as JSON; -1 = none given. */
function delayOf(options) {
  const seconds = options?.delaySeconds
  return seconds === undefined ? '-1' : `${+seconds | 0}`
}

/** Shadows `ctx.waitUntil` to see the promises. What goes through the importable `waitUntil` isn't seen. */
function trackWaitUntil(ctx) {
  const pending = { __proto__: null, count: 0 }
  const native = ctx.waitUntil
  defineProperty(ctx, 'waitUntil', {
    configurable: true,
    value(promise) {
      apply(native, ctx, [promise])
      const settled = (async () => promise)()
      pending[pending.count++] = apply(then, settled, [() => undefined, describeError])
    },
  })
  return pending
}

function describeError(reason) {
  try {
    const text = `${reason?.stack || reason}`
    return apply(slice, text, [0, 4096])
  } catch {
    return 'an exception that has no text'
  }
}

function describeExport(name, user) {
  let kind = 'other'
  let handlers = ''
  try {
    const value = user[name]
    if (typeof value === 'function') {
      if (extendsClass(value, WorkerEntrypoint)) kind = 'entrypoint'
      else if (extendsClass(value, DurableObject)) kind = 'durable-object'
      else if (WorkflowEntrypoint && extendsClass(value, WorkflowEntrypoint)) kind = 'workflow'
      if (kind !== 'other') handlers = listHandlers(value.prototype)
    } else if (value !== null && typeof value === 'object') {
      handlers = listHandlers(value)
      if (handlers) kind = 'handlers'
    }
  } catch {
    // A getter or a trap threw: nothing that can be called.
  }
  return `{"name":${stringify(name)},"kind":"${kind}","handlers":[${handlers}]}`
}

function extendsClass(value, base) {
  if (typeof value !== 'function') return false
  let parent = value
  for (let depth = 0; parent && depth < MAX_DEPTH; depth++) {
    parent = getPrototypeOf(parent)
    if (parent === base) return true
  }
  return false
}

/** Handlers that are defined on the object or its classes; a Proxy that answers to every name has only `fetch`. */
function listHandlers(value) {
  let text = ''
  for (let i = 0; i < HANDLERS.length; i++) {
    const name = HANDLERS[i]
    if (isDefined(value, name) && typeof value[name] === 'function') text += `${text && ','}"${name}"`
  }
  return text || (typeof value.fetch === 'function' ? '"fetch"' : '')
}

function isDefined(value, name) {
  let owner = value
  for (let depth = 0; owner && depth < MAX_DEPTH; depth++) {
    if (getOwnPropertyDescriptor(owner, name)) return true
    owner = getPrototypeOf(owner)
  }
  return false
}
