import { SkerryError } from '../../src/core/errors.ts'
import type { EdgeEnv } from '../../src/env.ts'
import { isAway, repeatWhileAway } from '../../src/roles.ts'
import type { KvValue } from './arguments.ts'
import { kvFailure } from './failures.ts'
import { putWhole } from './whole.ts'

/** The store's methods with the types we call them by; KVNamespace's overloads can't be called with a union. */
export interface Store {
  get(key: string | string[], options: object): Promise<unknown>
  getWithMetadata(key: string | string[], options: object): Promise<unknown>
  put(key: string, value: KvValue, options: object): Promise<void>
  delete(key: string): Promise<void>
  list(options: object): Promise<KVNamespaceListResult<unknown>>
}

/**
 * The platform's store. Where it is in another process and that restarts, calls wait for it, up to two seconds,
 * then fail as KV's client does with `503 Service Unavailable`. Repeating is harmless: every call leaves the same
 * behind when it is done twice. Only a stream can't be sent again.
 */
export function storeOf(env: EdgeEnv): Store {
  const store = env.KV as unknown as Store
  if (!env.STATE) return besides(store)
  return {
    get: (key, options) => patiently('GET', () => store.get(key, options)),
    getWithMetadata: (key, options) => patiently('GET', () => store.getWithMetadata(key, options)),
    put: (key, value, options) =>
      patiently('PUT', () => store.put(key, value, options), !(value instanceof ReadableStream)),
    delete: key => patiently('DELETE', () => store.delete(key)),
    list: options => patiently('LIST', () => store.list(options)),
  }
}

/** A store in the same process. */
function besides(store: Store): Store {
  return {
    get: (key, options) => store.get(key, options),
    getWithMetadata: (key, options) => store.getWithMetadata(key, options),
    put: (key, value, options) =>
      value instanceof ReadableStream
        ? putWhole(value, whole => store.put(key, whole, options))
        : store.put(key, value, options),
    delete: key => store.delete(key),
    list: options => store.list(options),
  }
}

async function patiently<T>(operation: string, call: () => Promise<T>, repeatable = true): Promise<T> {
  try {
    return await (repeatable ? repeatWhileAway(call) : call())
  } catch (error) {
    const isUnavailable = error instanceof SkerryError && error.code === 'ERR_STATE_UNAVAILABLE'
    if (isUnavailable || isAway(error)) throw kvFailure(operation, 503, 'Service Unavailable')
    throw error
  }
}
