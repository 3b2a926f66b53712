import { WorkerEntrypoint } from 'cloudflare:workers'
import type { ServiceResolver } from '../bindings/service/entrypoint.ts'
import { HARNESS_ENTRYPOINT } from '../bindings/service/kind.ts'
import { clientIpOf } from '../src/core/client-ip.ts'
import type { ScriptEntry } from '../src/core/routing.ts'
import type { EdgeEnv } from '../src/env.ts'
import type { TailCause, TailEvent, TailLog } from '../src/observe/tail-event.ts'
import { stateRole } from '../src/roles.ts'
import { callTail } from './harness.ts'
import { toObjectEvent } from './object-event.ts'
import { type PlainTrace, type TraceSource, toTraceItem } from './trace-item.ts'

/** Whose logs a tail carries; `versionId` where filters by version shall work. */
export interface TailProps extends TraceSource {
  readonly accountId: string
}

/**
 * Carries a function's logs and exceptions to its live readers and tail consumers, after each invocation.
 *
 * Attached to an isolate only where somebody reads: it costs a quarter of the throughput.
 */
export class TailEntrypoint extends WorkerEntrypoint<EdgeEnv, TailProps> {
  /** Takes the traces of finished invocations; workerd hands over those of one invocation at a time. */
  override async tail(items: TraceItem[]): Promise<void> {
    const { accountId, script } = this.ctx.props
    const own = items.filter(item => !isPlatformCall(item))
    const entry = findEntry?.(accountId, script)
    const consumers = entry?.tailConsumers ?? []
    const traces = own.filter(item => !isTailCall(item)).map(item => toTraceItem(item, this.ctx.props))
    if (traces.length > 0) for (const name of consumers) this.ctx.waitUntil(this.#feed(name, traces))
    if (own.length === 0 || (entry && consumers.length > 0 && !(entry.tailingUntilMs > Date.now()))) return
    const events = own.map(item => toTailEvent(item, this.ctx.props))
    await stateRole(this.env, this.ctx.exports).traces(accountId, script, events)
  }

  /** What a consumer does wrong shows in its own traces. */
  async #feed(consumer: string, traces: readonly PlainTrace[]): Promise<void> {
    try {
      const target = { accountId: this.ctx.props.accountId, script: consumer }
      const worker = resolveWorker?.(this.env, this.ctx.exports, target)
      if (worker) await callTail(worker, traces)
    } catch {
      return
    }
  }
}

let findEntry: ((accountId: string, script: string) => ScriptEntry | undefined) | undefined
let resolveWorker: ServiceResolver | undefined

/** Tells tails who reads a script's traces, and how to find a consumer: they are below the edge's table, which knows. */
export function setTailResolver(entry: NonNullable<typeof findEntry>, worker: ServiceResolver): void {
  findEntry = entry
  resolveWorker = worker
}

/** Calls that the platform makes into the isolate for its own ends. */
function isPlatformCall(item: TraceItem): boolean {
  const { entrypoint, event } = item
  if (entrypoint !== HARNESS_ENTRYPOINT) return toObjectEvent(item) === 'flush'
  const method = event && 'rpcMethod' in event ? event.rpcMethod : undefined
  return method === 'describe' || method === 'evict'
}

/** A `tail()` that the platform called. It is no trace for further consumers: two could feed each other for ever. */
function isTailCall({ entrypoint, event }: TraceItem): boolean {
  return (
    entrypoint === HARNESS_ENTRYPOINT &&
    event !== null &&
    'rpcMethod' in event &&
    event.rpcMethod === 'runTail'
  )
}

function toTailEvent(item: TraceItem, { script, versionId }: TailProps): TailEvent {
  const request = item.event && 'request' in item.event ? item.event.request : undefined
  const message = {
    outcome: item.outcome,
    scriptName: script,
    ...(item.entrypoint !== undefined && !isTailCall(item) && { entrypoint: item.entrypoint }),
    ...(versionId !== undefined && { scriptVersion: { id: versionId } }),
    eventTimestamp: item.eventTimestamp ?? Date.now(),
    event: isTailCall(item) ? { consumedEvents: [] } : toCause(item),
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
function toCause(item: TraceItem): TailCause | null {
  const { event } = item
  if (!event) return null
  const ofObject = toObjectEvent(item)
  if (typeof ofObject === 'object') return { scheduledTime: ofObject.scheduledTime.toISOString() }
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
