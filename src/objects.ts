import { WorkerEntrypoint } from 'cloudflare:workers'
import type { AccountChanges } from './core/routing.ts'
import { applyChanges } from './edge-table.ts'
import type { ObjectsEnv } from './env.ts'

/** What edges and the state role ask of the objects role: calls of users' Durable Objects and D1 databases. */
export class Objects extends WorkerEntrypoint<ObjectsEnv> {
  /** Answers; a process that is gone doesn't. */
  ping(): void {}

  /** Takes a change of the registry in; returns when calls see it. */
  async apply(changes: AccountChanges): Promise<void> {
    await applyChanges(changes, this.env, this.ctx.exports)
  }
}
