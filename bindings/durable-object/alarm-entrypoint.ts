import { WorkerEntrypoint } from 'cloudflare:workers'
import type { ObjectsEnv } from '../../src/env.ts'
import type { UserObject } from './object.ts'

/** Whose alarm it is. Set by the platform only. */
export interface ObjectAlarmsProps {
  /** The name of the object's host. */
  readonly object: string
}

/** An object's way to its own alarm, which its host keeps. Called from the object's isolate, and reaches nothing else. */
export class ObjectAlarms extends WorkerEntrypoint<ObjectsEnv, ObjectAlarmsProps> {
  /** The alarm's time in milliseconds since the epoch; `null` if there is none. */
  get(): Promise<number | null> {
    return this.#host().getUserAlarm()
  }

  /** Sets the alarm to a time in milliseconds since the epoch; `null` deletes it. Returns when that is durable. */
  async set(time: unknown): Promise<void> {
    if (time !== null && !(typeof time === 'number' && time >= 1 && time <= MAX_ALARM_MS)) {
      throw new TypeError(`An alarm's time must be 1 to ${MAX_ALARM_MS}, or null.`)
    }
    await this.#host().setUserAlarm(time)
  }

  #host(): DurableObjectStub<UserObject> {
    const { OBJECT } = this.env
    return OBJECT.get(OBJECT.idFromName(this.ctx.props.object))
  }
}

/** The last time that workerd takes. */
const MAX_ALARM_MS = 9_223_372_036_854
