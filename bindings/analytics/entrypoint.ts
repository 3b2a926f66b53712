import { WorkerEntrypoint } from 'cloudflare:workers'
import type { EdgeEnv } from '../../src/env.ts'
import { stateRole } from '../../src/roles.ts'
import { MAX_SENT_AT_ONCE, PointBuffer } from './buffer.ts'
import { parsePoint } from './point.ts'

/** Whose data points a binding writes, and into what. Set by the platform only. */
export interface AnalyticsProps {
  readonly accountId: string
  readonly script: string
  readonly dataset: string
}

/**
 * An Analytics Engine binding: takes data points into this process's memory, from where they go to the account's
 * `Analytics` each second. What is there when the process is killed is lost, as on Cloudflare: nobody waits for it.
 */
export class AnalyticsEntrypoint extends WorkerEntrypoint<EdgeEnv, AnalyticsProps> {
  /** Takes a point; one that is beyond a limit is dropped. */
  write(raw: unknown): void {
    const { accountId, script, dataset } = this.ctx.props
    const values = parsePoint(raw)
    if (!values) return
    const isFirst = buffer.add(accountId, { dataset, script, atMs: Date.now(), ...values })
    if (isFirst) this.ctx.waitUntil(this.#flush())
  }

  async #flush(): Promise<void> {
    await scheduler.wait(FLUSH_AFTER_MS)
    const state = stateRole(this.env, this.ctx.exports)
    for (const [accountId, points] of buffer.take()) {
      for (let at = 0; at < points.length; at += MAX_SENT_AT_ONCE) {
        await state.writeDataPoints(accountId, points.slice(at, at + MAX_SENT_AT_ONCE)).catch(() => undefined)
      }
    }
  }
}

const buffer = new PointBuffer()
const FLUSH_AFTER_MS = 1000
