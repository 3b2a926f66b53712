import { WorkerEntrypoint } from 'cloudflare:workers'
import { handleControl } from './control.ts'
import type { LoadableVersion } from './core/manifest.ts'
import type { AccountChanges, EdgeVersion } from './core/routing.ts'
import type { StateEnv } from './env.ts'
import type { TailEvent } from './observe/tail-event.ts'
import { openBindings } from './registry/secrets.ts'
import { accountRegistry, directory } from './registry/stubs.ts'

/** What edges ask of the state role, and the control plane they hand requests on to. Never runs users' code. */
export class State extends WorkerEntrypoint<StateEnv> {
  /** Answers; a state process that is gone doesn't. */
  ping(): void {}

  /** The control plane: `/client/v4`, `/api/v1` and the pages of the platform's own host. */
  override fetch(request: Request): Promise<Response> {
    return handleControl(request, this.env, this.ctx)
  }

  /** What changed in the accounts of the platform since the revisions an edge holds, by account id; an account it doesn't know comes whole. */
  async changesSince(revisions: Readonly<Record<string, number>>): Promise<AccountChanges[]> {
    const accounts = await directory(this.env).accounts()
    return Promise.all(
      accounts.map(async account =>
        (await accountRegistry(this.env, account)).changes(revisions[account.id] ?? 0),
      ),
    )
  }

  /** A version with its secrets opened, for an edge's memory; `undefined` if it is gone. */
  async version(accountId: string, script: string, versionId: string): Promise<LoadableVersion | undefined> {
    const registry = this.env.ACCOUNT.get(this.env.ACCOUNT.idFromName(accountId))
    const record = await registry.getVersion(script, versionId)
    if (!record) return undefined
    const { manifest } = record
    return {
      versionId: record.id,
      versionTag: record.annotations['workers/tag'] ?? '',
      createdOn: record.created_on,
      format: manifest.format,
      mainModule: manifest.mainModule,
      modules: manifest.modules,
      compatibilityDate: manifest.compatibilityDate,
      compatibilityFlags: manifest.compatibilityFlags,
      exports: manifest.exports,
      bindings: await openBindings(manifest.bindings, this.env.MASTER_KEY),
      kvPrefixes: record.kvPrefixes,
    }
  }

  /** The version a preview host `<prefix>-<script>` names. */
  async findPreview(accountId: string, script: string, prefix: string): Promise<EdgeVersion | undefined> {
    return this.env.ACCOUNT.get(this.env.ACCOUNT.idFromName(accountId)).findPreview(script, prefix)
  }

  /** Hands log events of a script on to its live readers. */
  async traces(accountId: string, script: string, events: readonly TailEvent[]): Promise<void> {
    await this.env.TAILS.get(this.env.TAILS.idFromName(`${accountId}/${script}`)).publish(events)
  }
}
