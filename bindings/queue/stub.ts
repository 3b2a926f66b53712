import type { StateEnv } from '../../src/env.ts'
import type { Queue } from './object.ts'

/** A queue, by the id of its object. */
export function queueObject(env: StateEnv, accountId: string, object: string): DurableObjectStub<Queue> {
  return env.QUEUE.get(env.QUEUE.idFromName(`${accountId}/${object}`))
}
