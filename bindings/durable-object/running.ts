import { type ObjectTarget, toHostName } from './target.ts'

/** An object that somebody opened a WebSocket to, in this process. */
export interface ObjectWithSockets {
  readonly target: ObjectTarget
  /** The code that it ran then, as `ObjectCode` has it. */
  readonly key: string
}

/** Notes that an object has a WebSocket. It may be closed by now: nobody tells when a socket that sleeps is. */
export function noteSocket(target: ObjectTarget, key: string): void {
  const name = toHostName(target)
  // The newest last; the oldest are likely to be closed.
  objects.delete(name)
  objects.set(name, { target, key })
  if (objects.size <= MAX_OBJECTS) return
  for (const oldest of objects.keys()) {
    objects.delete(oldest)
    return
  }
}

/** Takes out, and gives, the objects whose code has changed since, as `isOld` says. */
export function takeOutdated(isOld: (object: ObjectWithSockets) => boolean): ObjectWithSockets[] {
  const outdated: ObjectWithSockets[] = []
  for (const [name, object] of objects) {
    if (!isOld(object)) continue
    objects.delete(name)
    outdated.push(object)
  }
  return outdated
}

const objects = new Map<string, ObjectWithSockets>()

/** Some 300 bytes each. The sockets of one that is forgotten are closed at its next call after a deploy. */
const MAX_OBJECTS = 50_000
