import type { EdgeEnv, ObjectsEnv } from '../../src/env.ts'
import { isAway, objectsRole, repeatWhileAway } from '../../src/roles.ts'
import { withObjectId } from './failures.ts'
import { leaveLine, type Place, takePlace } from './line.ts'
import type { UserObject } from './object.ts'
import { withPassableServices } from './services.ts'
import { encodeHeader, type HostedObject, type ObjectTarget, PLACE_HEADER, toHostName } from './target.ts'

/** The host of a user's object, in the process that has it. */
export function hostOf({ OBJECT }: ObjectsEnv, object: HostedObject): DurableObjectStub<UserObject> {
  return OBJECT.get(OBJECT.idFromName(toHostName(object)))
}

/** Calls a method of a user's object in the process that has it; reads a property where there are no arguments. */
export async function callHost(
  env: ObjectsEnv,
  target: ObjectTarget,
  path: readonly string[],
  args?: unknown[],
): Promise<unknown> {
  try {
    return await hostOf(env, target).callFacet(target, path, args)
  } catch (error) {
    throw withObjectId(error, target.id)
  }
}

/** The same from any process. A lost connection is the caller's error: what became of the call nobody knows. */
export function callObject(
  env: EdgeEnv,
  ctx: Exporter,
  target: ObjectTarget,
  path: readonly string[],
  args?: unknown[],
): Promise<unknown> {
  // The way over the role's entrypoint costs a third more.
  if (hasObjects(env)) return callHost(env, target, path, args)
  const passable = args?.map(withPassableServices)
  return send(env, ctx, target, (role, place) => role.callObject(target, path, passable, place))
}

/** Sends a request to a user's object; its header names it, and gets its place in line. */
export function fetchObject(
  env: EdgeEnv,
  ctx: Exporter,
  target: ObjectTarget,
  request: Request,
): Promise<Response> {
  if (hasObjects(env)) return hostOf(env, target).fetch(request)
  return send(env, ctx, target, (role, place) => {
    request.headers.set(PLACE_HEADER, encodeHeader(place))
    return role.fetch(request)
  })
}

/**
 * To be called again and again where there are edges: notices that the process is another one, before a call of a
 * function would find its connection broken and fail. A promise if there is something to wait for.
 */
export function keepConnection(env: EdgeEnv, ctx: Exporter): Promise<void> | undefined {
  const nowMs = Date.now()
  if (hasObjects(env) || !isConnected || isLost || nowMs - keptMs < KEEP_MS) return undefined
  keptMs = nowMs
  return objectsRole(env, ctx.exports).ping().catch(noteLoss)
}

interface Exporter {
  readonly exports: Cloudflare.Exports
}

/** Whether this process has the objects itself. */
export function hasObjects(env: EdgeEnv): env is ObjectsEnv {
  return 'OBJECT' in env
}

/** Whoever finds the process gone fails; whoever comes after waits until it is back, as nothing of his was sent. */
async function send<T>(
  env: EdgeEnv,
  ctx: Exporter,
  target: ObjectTarget,
  call: (role: Cloudflare.Exports['Objects'], place: Place) => Promise<T>,
): Promise<T> {
  const place = takePlace(toHostName(target))
  // A context's `exports` are made when they are read, so they are read only where needed.
  const role = (env.OBJECTS as Cloudflare.Exports['Objects'] | undefined) ?? objectsRole(env, ctx.exports)
  if (isLost) {
    await repeatWhileAway(() => role.ping()).catch(() => Promise.reject(lostConnection()))
    isLost = false
  }
  isConnected = true
  try {
    return await call(role, place)
  } catch (error) {
    if (!isAway(error)) throw error
    noteLoss()
    throw lostConnection()
  }
}

function noteLoss(): void {
  isLost = true
  leaveLine()
}

/** The words of workerd for an object whose process is gone; where that isn't there yet, it has others. */
function lostConnection(): Error {
  return Object.assign(new Error('Network connection lost.'), { retryable: true })
}

/** The process was gone when it was last called. */
let isLost = false
/** It was called. */
let isConnected = false
/** When somebody last looked whether it is still the same. */
let keptMs = 0
const KEEP_MS = 500
