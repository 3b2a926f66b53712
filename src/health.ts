import { WorkerEntrypoint } from 'cloudflare:workers'
import { keepConnection } from '../bindings/durable-object/call.ts'
import { evictIdle, isolateCounters } from '../runtime/evict.ts'
import { noteBodies, sweepBoard } from './board.ts'
import type { HealthReport } from './core/processes.ts'
import { catchUp, keepTable, tableIsReady } from './edge-table.ts'
import type { Env } from './env.ts'
import { directory } from './registry/stubs.ts'

/**
 * Answers the supervisor's heartbeats, on a private socket; 503 until the process can serve. As they come
 * steadily, they also are the clock for an edge's upkeep.
 *
 * `?evict=n` orders that idle isolates be ended, `?published` says that others can reach the process, `?drain`
 * that it is about to be ended in good order.
 */
export class Health extends WorkerEntrypoint<Env> {
  override async fetch(request: Request): Promise<Response> {
    const hasState = 'DIRECTORY' in this.env
    const hasEdge = 'LOADER' in this.env
    // Once: a heartbeat shows how long this process's thread was busy, so it waits for no other process.
    if (hasState) registryAnswers ||= (await directory(this.env).accounts()).length > 0
    const orders = new URL(request.url).searchParams
    if (hasEdge) this.#keepUp(orders.get('evict'))
    if (hasEdge && orders.has('published')) catchUp(this.env, this.ctx)
    if (hasEdge && orders.has('drain')) noteBodies()
    const report: HealthReport = {
      ready: (!hasState || registryAnswers) && (!hasEdge || tableIsReady()),
      ...(hasEdge && { isolates: isolateCounters() }),
    }
    return Response.json(report, { status: report.ready ? 200 : 503 })
  }

  #keepUp(evict: string | null): void {
    sweepBoard(Date.now())
    keepTable(this.env, this.ctx)
    const order = evict === null ? {} : { keep: 0, olderThanMs: RECENT_MS, atMost: Number(evict) }
    const evicting = evictIdle(order, this.env, this.ctx)
    if (evicting) this.ctx.waitUntil(evicting)
    const connecting = keepConnection(this.env, this.ctx)
    if (connecting) this.ctx.waitUntil(connecting)
  }
}

/** What was used this recently would be loaded again at once. */
const RECENT_MS = 1000

let registryAnswers = false
