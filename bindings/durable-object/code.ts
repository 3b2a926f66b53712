import type { ObjectsEnv } from '../../src/env.ts'
import type { ObjectTarget } from './target.ts'

/** The code that an object runs now. */
export interface ObjectCode {
  /** Changes with the code: an object that runs with another key starts anew. */
  readonly key: string
  /** Its isolate has a reader of live logs attached. */
  readonly isTailing: boolean
  /** The class's name as its module exports it. */
  readonly className: string
  /** The isolate, loaded if it isn't yet. Called when the object starts. */
  worker(): WorkerStub
}

/**
 * Finds an object's code.
 *
 * @throws (rejects) ERR_FUNCTION_QUARANTINED, ERR_STATE_UNAVAILABLE; Error if its script isn't deployed
 */
export type ObjectCodeResolver = (
  target: ObjectTarget,
  env: ObjectsEnv,
  ctx: DurableObjectState,
) => ObjectCode | Promise<ObjectCode>

let resolve: ObjectCodeResolver | undefined

/** Tells objects how to find their code: they are below the table of what is deployed. */
export function setObjectCodeResolver(resolver: ObjectCodeResolver): void {
  resolve = resolver
}

/** The code that an object runs now. @see ObjectCodeResolver */
export function resolveObjectCode(
  target: ObjectTarget,
  env: ObjectsEnv,
  ctx: DurableObjectState,
): ObjectCode | Promise<ObjectCode> {
  if (!resolve) throw new Error('This process does not run Durable Objects.')
  return resolve(target, env, ctx)
}
