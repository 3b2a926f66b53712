import { CONTROL_HEADER, CONTROL_URL, CONTROLS } from '../bindings/durable-object/target.ts'

/**
 * What an invocation was, if the host of a user's object called for its own ends: to wait until what the object
 * said of its alarm is durable, or to deliver the alarm. `undefined` = any other invocation.
 *
 * By RPC the alarm's time isn't in the trace, so it is when it was delivered; a class without RPC gets it in a
 * header. That can't be forged: a host strips it from what it passes on.
 */
export function toObjectEvent({
  event,
  entrypoint,
  eventTimestamp,
}: TraceItem): 'flush' | { readonly scheduledTime: Date } | undefined {
  if (!event) return undefined
  if ('rpcMethod' in event) {
    if (event.rpcMethod === FLUSH) return 'flush'
    return event.rpcMethod === ALARM ? { scheduledTime: new Date(eventTimestamp ?? Date.now()) } : undefined
  }
  const order =
    'request' in event && entrypoint !== undefined && event.request.url === CONTROL_URL
      ? event.request.headers[CONTROL_HEADER]
      : undefined
  if (order === undefined) return undefined
  const alarm = parse(order)
  return alarm ? { scheduledTime: new Date(alarm.scheduledTime) } : 'flush'
}

function parse(order: string): { readonly scheduledTime: number } | null {
  try {
    return JSON.parse(order) as { scheduledTime: number } | null
  } catch {
    return null
  }
}

const [FLUSH, ALARM] = CONTROLS
