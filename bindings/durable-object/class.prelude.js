// Runs inside the user's isolate, evaluated before the user's code: makes an exported class run as a Durable
// Object. What the object's host relies on is taken before user code could patch it.
import { DurableObject, exports } from 'cloudflare:workers'
import { create, DurableObjectId } from './durable-object.js'

const { apply, defineProperty, getPrototypeOf } = Reflect
const { compatibilityFlags = {} } = globalThis.Cloudflare ?? {}
const { now } = Date
const NativeDate = Date
const NativePromise = Promise
// Calls of the host, which no caller can make; the header is for classes without RPC.
const CONTROLS = ['skerryFlush', 'skerryAlarm']
const HEADER = 'skerry-control'
// The last time that workerd takes for an alarm.
const MAX_ALARM_MS = 9223372036854

const MEMBERS = ['newUniqueId', 'idFromName', 'idFromString', 'get', 'getByName', 'jurisdiction']

/**
 * Makes the classes in `ctx.exports` namespaces, as the runtime does where it has their storage. It puts them there
 * after the code ran, and one object for all contexts: so their prototype, which any class of objects has, gets
 * the members, and a call looks up which class it is for.
 */
export function exportNamespaces({ anyClass, namespaces }) {
  const classes = Object.entries(namespaces).map(([name, value]) => [name, create(value)])
  for (const member of MEMBERS) {
    defineProperty(getPrototypeOf(anyClass), member, {
      value(...args) {
        const found = classes.find(([name]) => exports[name] === this)
        if (!found) throw new TypeError(`${member}() needs a class that has objects: name it in a migration.`)
        return found[1][member](...args)
      },
      configurable: true,
      writable: true,
    })
  }
}

/**
 * The class that runs as a facet of its host: the user's own, which sees an id of its namespace and alarms that
 * the host keeps. What isn't a class stays what it is.
 */
export function wrapObject(User) {
  if (typeof User !== 'function' || !User.prototype) return User
  const controls = new WeakMap()
  const Wrapped = class extends User {
    constructor(ctx, env) {
      // The user's own facet of an object.
      if (!ctx.props?.alarms) {
        super(ctx, env)
        return
      }
      const control = prepare(ctx, () => User.prototype.alarm !== undefined)
      super(ctx, env)
      controls.set(this, control)
    }
  }
  const control = (self, order) => controls.get(self)(self, order)
  defineProperty(Wrapped, 'name', { value: User.name })
  if (User.prototype instanceof DurableObject) {
    for (const name of CONTROLS) {
      defineProperty(Wrapped.prototype, name, {
        value(order) {
          return control(this, order)
        },
      })
    }
    return Wrapped
  }
  // Without RPC, the host's calls come as requests.
  const { fetch } = User.prototype
  defineProperty(Wrapped.prototype, 'fetch', {
    async value(request, ...rest) {
      const order = request.headers.get(HEADER)
      if (order) return Response.json((await control(this, JSON.parse(order))) ?? null)
      if (!fetch) throw new Error('Handler does not export a fetch() function.')
      return apply(fetch, this, [request, ...rest])
    },
  })
  return Wrapped
}

/** Puts into a new object's context what facets don't have; gives what answers the host's calls. */
function prepare(ctx, canAlarm) {
  const { id, name, namespace, jurisdiction, alarms } = ctx.props
  const own = new DurableObjectId(namespace, jurisdiction, name, id)
  defineProperty(ctx, 'id', { value: own, enumerable: true, configurable: true, writable: true })
  defineProperty(ctx, 'props', { value: {}, enumerable: true, configurable: true, writable: true })

  const { storage, blockConcurrencyWhile, abort } = ctx
  const { setAlarm: nativeSet, deleteAll, transaction, transactionSync } = storage
  // The time, `null` for none, and `undefined` as long as nobody asked the host, which has it.
  let alarm
  // What the host has of it, or is being told.
  let told
  // What a transaction that isn't over has made of it.
  let inTransaction
  let depth = 0
  let changes = 0
  let sending
  // One after the other, and of several only the last.
  const send = () =>
    (sending ??= (async () => {
      try {
        while (told !== alarm) {
          told = alarm
          await alarms.set(told)
        }
      } catch (error) {
        // As natively, where a write fails: nothing that went with it is acknowledged.
        apply(abort, ctx, [`The alarm could not be stored: ${error}`])
        throw error
      } finally {
        sending = undefined
      }
    })())
  const learn = async () => {
    const time = await alarms.get()
    // Unless it was set, or rang, meanwhile.
    if (alarm === undefined) alarm = told = time
  }
  const current = () => (inTransaction === undefined ? alarm : inTransaction)
  const change = time => {
    changes++
    if (depth > 0) {
      inTransaction = time
      return NativePromise.resolve()
    }
    alarm = time
    return send()
  }
  const members = {
    async getAlarm() {
      // As natively, no other event comes in between.
      if (current() === undefined) await apply(blockConcurrencyWhile, ctx, [learn])
      return current()
    },
    setAlarm(time, options) {
      const value =
        time instanceof NativeDate ? time.getTime() : typeof time === 'number' ? Math.trunc(time) : 0
      // workerd's own words for what it would refuse.
      if (!(value >= 1 && value <= MAX_ALARM_MS) || !canAlarm())
        return apply(nativeSet, storage, [time, options])
      return change(Math.max(value, now()))
    },
    deleteAlarm: async () => {
      if (current() !== null) await change(null)
    },
  }
  const enter = () => {
    const before = inTransaction
    depth++
    return isDone => {
      depth--
      if (!isDone) inTransaction = before
      if (depth > 0 || inTransaction === undefined) return undefined
      alarm = inTransaction
      inTransaction = undefined
      return send()
    }
  }
  replace(storage, members)
  replace(storage, {
    async deleteAll(...args) {
      await apply(deleteAll, storage, args)
      if (compatibilityFlags.delete_all_deletes_alarm) await members.deleteAlarm()
    },
    async transaction(run, ...rest) {
      const leave = enter()
      let isDone = false
      try {
        const inside = async txn => {
          const { rollback } = txn
          let isRolledBack = false
          replace(txn, {
            ...members,
            rollback() {
              isRolledBack = true
              return apply(rollback, txn, [])
            },
          })
          const result = await run(txn)
          isDone = !isRolledBack
          return result
        }
        return await apply(transaction, storage, [inside, ...rest])
      } catch (error) {
        isDone = false
        throw error
      } finally {
        await leave(isDone)
      }
    },
    transactionSync(run) {
      const leave = enter()
      let isDone = false
      try {
        const result = apply(transactionSync, storage, [run])
        isDone = true
        return result
      } finally {
        leave(isDone)
      }
    },
  })

  return async (self, order) => {
    if (!order) {
      await sending
      return canAlarm()
    }
    const { scheduledTime, retryCount, isLast, isCertain } = order
    // Set anew while this one was on its way.
    if (alarm !== undefined && alarm !== scheduledTime && !isCertain) {
      await sending
      return false
    }
    alarm = told = null
    const before = changes
    try {
      await self.alarm({ scheduledTime, retryCount, isRetry: retryCount > 0 })
    } catch (error) {
      if (changes === before && !isLast) alarm = told = scheduledTime
      throw error
    }
    await sending
    return true
  }
}

function replace(target, members) {
  for (const key of Object.keys(members)) {
    defineProperty(target, key, { value: members[key], configurable: true, writable: true })
  }
}
