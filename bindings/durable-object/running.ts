import type { ObjectTarget } from './target.ts'

/**
 * How the facet of a host was started. workerd (2026-11-17) ends host and facet each for itself, ten seconds after it
 * was last used, but keeps what the facet was started with for a minute or two more, and starts it with that again.
 * So this outlives the host's instance too: it is this process's.
 */
export interface Running {
  /** `key` and `isTailing` of its `ObjectCode`. */
  readonly key: string
  readonly isTailing: boolean
  /** The class has no RPC: it doesn't extend DurableObject. */
  isPlain: boolean
  /** It has an `alarm()`, so it may set one; `undefined` until it was asked. */
  hasAlarm: boolean | undefined
  /**
   * The object, once a WebSocket went through its host: that lives as long as this run. It may be closed by now:
   * nobody tells when a socket that sleeps is.
   */
  withSockets: ObjectTarget | undefined
}

/** Notes how a host's facet was started. */
export function noteRunning(host: DurableObjectId, running: Running): void {
  const id = String(host)
  // The newest last.
  all.delete(id)
  all.set(id, running)
  if (all.size <= MAX_RUNNING) return
  for (const oldest of all.keys()) {
    all.delete(oldest)
    return
  }
}

/** How a host's facet was started last; it may be gone by now. `undefined`: never, or it was forgotten. */
export function recallRunning(host: DurableObjectId): Running | undefined {
  const running = all.get(String(host))
  if (running) noteRunning(host, running)
  return running
}

/** The host's facet was ended. */
export function forgetRunning(host: DurableObjectId): void {
  all.delete(String(host))
}

/** The objects that may have WebSockets, each with the key of the code that it runs. */
export function objectsWithSockets(): { readonly target: ObjectTarget; readonly key: string }[] {
  return [...all.values()].flatMap(({ withSockets, key }) =>
    withSockets ? [{ target: withSockets, key }] : [],
  )
}

const all = new Map<string, Running>()

/** Some 300 bytes each. One that is forgotten starts anew at its next call after a rest, and its sockets are closed. */
const MAX_RUNNING = 50_000
