/** The alarm of a user's object, as its host keeps it. Times are milliseconds since the epoch. */
export interface ObjectAlarm {
  /** What the object asked for, at the earliest the time it asked. */
  readonly scheduledTime: number
  /** When the host tries next: later than `scheduledTime` after a failure. */
  readonly dueMs: number
  /** How often `alarm()` failed already. */
  readonly retryCount: number
}

/** How often an alarm whose handler throws is tried again, as on Cloudflare. */
export const MAX_ALARM_RETRIES = 6

/** The first pause; each further one is twice as long. */
const FIRST_RETRY_MS = 2000

/** While the object can't be run for the platform's sake: its alarm waits, and no try is counted. */
const UNAVAILABLE_RETRY_MS = 5000

/** Whether `alarm()` isn't tried again when it fails now. */
export function isLastTry({ retryCount }: ObjectAlarm): boolean {
  return retryCount >= MAX_ALARM_RETRIES
}

/** The alarm after its handler threw; `undefined` = it is given up. */
export function afterFailure(alarm: ObjectAlarm, nowMs: number): ObjectAlarm | undefined {
  if (isLastTry(alarm)) return undefined
  const { retryCount } = alarm
  return { ...alarm, retryCount: retryCount + 1, dueMs: nowMs + FIRST_RETRY_MS * 2 ** retryCount }
}

/** The alarm after the platform could not run it. */
export function afterOutage(alarm: ObjectAlarm, nowMs: number): ObjectAlarm {
  return { ...alarm, dueMs: nowMs + UNAVAILABLE_RETRY_MS }
}
