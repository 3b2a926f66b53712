import { toObjectEvent } from './object-event.ts'

/** Whose traces they are. */
export interface TraceSource {
  readonly script: string
  readonly versionId?: string
}

/** A trace as plain data, as a tail consumer gets it: native ones don't leave the isolate that got them. */
export type PlainTrace = Readonly<Record<string, unknown>>

/**
 * The trace of an invocation, in the shape that `tail()` natively gets. `event.request.whole` has what is hidden in
 * the request itself; the consumer's harness puts it behind `getUnredacted()`.
 */
export function toTraceItem(item: TraceItem, { script, versionId }: TraceSource): PlainTrace {
  const { event, logs, exceptions, diagnosticsChannelEvents, ...rest } = { ...item }
  return {
    ...rest,
    // Natively the name of an isolate here.
    scriptName: script,
    ...(versionId !== undefined && { scriptVersion: { id: versionId } }),
    event: event && toEvent(event, item),
    logs: logs.map(log => ({ ...log })),
    exceptions: exceptions.map(exception => ({ ...exception })),
    diagnosticsChannelEvents: diagnosticsChannelEvents.map(message => ({ ...message })),
  }
}

function toEvent(event: NonNullable<TraceItem['event']>, item: TraceItem): PlainTrace {
  const ofObject = toObjectEvent(item)
  if (typeof ofObject === 'object') return ofObject
  if (!('request' in event)) return { ...event }
  const { request, response } = event
  return {
    request: { ...toRequest(request), whole: toRequest(request.getUnredacted()) },
    ...(response && { response: { status: response.status } }),
  }
}

function toRequest({ url, method, headers, cf }: TraceItemFetchEventInfoRequest): PlainTrace {
  // workerd's own field: Cloudflare has none of that name.
  const { clientIp: _, ...rest } = (cf ?? {}) as Record<string, unknown>
  return { url, method, headers: { ...headers }, cf: rest }
}
