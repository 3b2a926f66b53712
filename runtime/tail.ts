import { WorkerEntrypoint } from 'cloudflare:workers'
import { HARNESS_ENTRYPOINT } from '../bindings/service/kind.ts'
import { clientIpOf } from '../src/core/client-ip.ts'
import type { EdgeEnv } from '../src/env.ts'
import type { TailCause, TailEvent, TailLog } from '../src/observe/tail-event.ts'
import { stateRole } from '../src/roles.ts'

/** Whose logs a tail carries; `versionId` where filters by version shall work. */
export interface TailProps {
  readonly accountId: string
  readonly script: string
  readonly versionId?: string
}

/**
 * Carries a function's logs and exceptions to its live readers, after each invocation.
 *
 * Attached to an isolate only while somebody reads: it costs a quarter of the throughput.
 */
export class TailEntrypoint extends WorkerEntrypoint<EdgeEnv, TailProps> {
  /** Takes the traces of finished invocations; workerd hands over those of one invocation at a time. */
  override async tail(items: TraceItem[]): Promise<void> {
    const { accountId, script } = this.ctx.props
    const events = items.filter(item => !isPlatformCall(item)).map(item => toTailEvent(item, this.ctx.props))
    if (events.length > 0) await stateRole(this.env, this.ctx.exports).traces(accountId, script, events)
  }
}

/** Calls that the platform makes into the isolate for its own ends. */
function isPlatformCall({ entrypoint, event }: TraceItem): boolean {
  if (entrypoint !== HARNESS_ENTRYPOINT) return false
  const method = event && 'rpcMethod' in event ? event.rpcMethod : undefined
  return method === 'describe' || method === 'evict'
}

function toTailEvent(item: TraceItem, { script, versionId }: TailProps): TailEvent {
  const request = item.event && 'request' in item.event ? item.event.request : undefined
  const message = {
    outcome: item.outcome,
    scriptName: script,
    ...(item.entrypoint !== undefined && { entrypoint: item.entrypoint }),
    ...(versionId !== undefined && { scriptVersion: { id: versionId } }),
    eventTimestamp: item.eventTimestamp ?? Date.now(),
    event: toCause(item.event),
    logs: item.logs.map(toTailLog),
    exceptions: item.exceptions.map(({ name, message, stack, timestamp }) => ({
      name,
      message,
      ...(stack !== undefined && { stack }),
      timestamp,
    })),
    truncated: item.truncated,
  }
  return request
    ? { message, clientIp: clientIpOf(request.cf, request.headers['cf-connecting-ip']) }
    : { message }
}

function toTailLog({ level, message, timestamp }: TraceLog): TailLog {
  return { level, message: Array.isArray(message) ? message : [message], timestamp }
}

/** The event in Cloudflare's words; `null` for kinds that its protocol has no word for. */
function toCause(event: TraceItem['event']): TailCause | null {
  if (!event) return null
  if ('request' in event) {
    const { url, method, headers, cf } = event.request
    // workerd's own field: Cloudflare has none of that name.
    const { clientIp: _, ...rest } = (cf ?? {}) as Record<string, unknown>
    const response = event.response && { status: event.response.status }
    return { request: { url, method, headers: { ...headers }, cf: rest }, ...(response && { response }) }
  }
  if ('cron' in event) return { cron: event.cron, scheduledTime: event.scheduledTime }
  if ('scheduledTime' in event) return { scheduledTime: new Date(event.scheduledTime).toISOString() }
  if ('queue' in event) return { queue: event.queue, batchSize: event.batchSize }
  if ('rpcMethod' in event) return { rpcMethod: event.rpcMethod }
  if ('mailFrom' in event) return { mailFrom: event.mailFrom, rcptTo: event.rcptTo, rawSize: event.rawSize }
  if ('consumedEvents' in event) {
    return { consumedEvents: event.consumedEvents.map(({ scriptName }) => ({ scriptName })) }
  }
  return null
}
