import * as runtime from 'cloudflare:workers'

const { RpcTarget } = runtime
// Not among the published types.
const { ServiceStub } = runtime as unknown as { readonly ServiceStub: abstract new () => object }

/**
 * A value of RPC with its service bindings in a form that passes between processes, which stubs of services don't:
 * each as a target that forwards, and lives as long as the call. Looked for in the value itself and, where that is
 * a plain object or an array, in its members; what has none is given back as it is.
 */
export function withPassableServices<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  if (isService(value)) return toTarget(value) as T
  if (Array.isArray(value)) {
    const members: readonly unknown[] = value
    return members.some(isService) ? (members.map(passMember) as T) : value
  }
  if (Object.getPrototypeOf(value) !== Object.prototype || !Object.values(value).some(isService)) return value
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, passMember(member)])) as T
}

function passMember(member: unknown): unknown {
  return isService(member) ? toTarget(member) : member
}

function isService(value: unknown): value is object {
  return value instanceof ServiceStub
}

/** Whatever is asked of it, the service is asked. */
function toTarget(service: object): object {
  const target: object = new Proxy(new Passed(), {
    get: (own, key) => {
      if (typeof key === 'symbol' || key === 'constructor' || key === 'then') return Reflect.get(own, key)
      if (key === 'dup') return () => target
      const member: unknown = Reflect.get(service, key)
      return key === 'fetch' && typeof member === 'function' ? member.bind(service) : member
    },
  })
  return target
}

class Passed extends RpcTarget {}
