import { WorkerEntrypoint } from 'cloudflare:workers'
import type { ObjectsEnv } from '../../src/env.ts'

/** Whose alarm it is. Set by the platform only. */
export interface ObjectAlarmsProps {
  /** The name of the object's host. */
  readonly object: string
}

/** An object's way to its own alarm, which its host keeps. Called from the object's isolate, and reaches nothing else. */
export class ObjectAlarms extends WorkerEntrypoint<ObjectsEnv, ObjectAlarmsProps> {
  /** Sets the alarm to a time in milliseconds since the epoch; `null` deletes it. Returns when that is durable. */
  async set(time: unknown): Promise<void> {
    if (time !== null && !(typeof time === 'number' && time >= 1 && time <= MAX_ALARM_MS)) {
      throw new TypeError(`An alarm's time must be 1 to ${MAX_ALARM_MS}, or null.`)
    }
    const { OBJECT } = this.env
    await OBJECT.get(OBJECT.idFromName(this.ctx.props.object)).setUserAlarm(time)
  }
}

/** The last time that workerd takes. */
const MAX_ALARM_MS = 9_223_372_036_854
