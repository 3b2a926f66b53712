import { WorkerEntrypoint } from 'cloudflare:workers'
import type { DataPoint } from '../bindings/analytics/point.ts'
import type { NewMessage } from '../bindings/queue/producer.ts'
import { queueObject } from '../bindings/queue/stub.ts'
import { type BucketCall, callBucket } from '../bindings/r2/bucket-stub.ts'
import { callWorkflow, type WorkflowCall, workflowObject } from '../bindings/workflow/stub.ts'
import { handleControl } from './control.ts'
import type { RunLink } from './core/invoker.ts'
import type { LoadableVersion } from './core/manifest.ts'
import type { PermitGrant, PermitRequest, QuotaRequest, QuotaState } from './core/permits.ts'
import type { QueueMetrics } from './core/queue.ts'
import type { AccountChanges, EdgeVersion } from './core/routing.ts'
import type { StateEnv } from './env.ts'
import type { TailEvent } from './observe/tail-event.ts'
import { openBindings } from './registry/secrets.ts'
import { accountLimiter, accountRecords, accountRegistry, directory } from './registry/stubs.ts'
import { verifyTraceToken } from './registry/trace-tokens.ts'
import { edgeRoles } from './roles.ts'

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
      resources: record.resources,
      ...(manifest.assets && { assets: manifest.assets.digest }),
      reads: manifest.reads,
    }
  }

  /** A version by its id, the first 8 digits of it as in the name of a preview host, or its tag. */
  async findVersion(accountId: string, script: string, wanted: string): Promise<EdgeVersion | undefined> {
    return this.env.ACCOUNT.get(this.env.ACCOUNT.idFromName(accountId)).findVersion(script, wanted)
  }

  /** Hands log events of a script on to its live readers. */
  async traces(accountId: string, script: string, events: readonly TailEvent[]): Promise<void> {
    await this.env.TAILS.get(this.env.TAILS.idFromName(`${accountId}/${script}`)).publish(events)
  }

  /** Keeps data points of an account's functions. */
  async writeDataPoints(accountId: string, points: readonly DataPoint[]): Promise<void> {
    await this.env.ANALYTICS.get(this.env.ANALYTICS.idFromName(accountId)).write(points)
  }

  /** Whose requests a token makes edges keep the record of, and until when; `undefined` if it isn't good. */
  verifyTraceToken(token: string): Promise<{ accountId: string; untilMs: number } | undefined> {
    return verifyTraceToken(token, Date.now(), this.env.MASTER_KEY)
  }

  /** Permits of one of the account's rate limits. */
  async takePermits(accountId: string, request: PermitRequest): Promise<PermitGrant> {
    return accountLimiter(this.env, accountId).take(request)
  }

  /** Units of one of the account's quotas; on disk when the caller has them. */
  async spendQuota(accountId: string, request: QuotaRequest): Promise<QuotaState> {
    return accountLimiter(this.env, accountId).spend(request)
  }

  /** Writes one of the account's records if there is none; else gives the one that is there. @throws ERR_RECORD_LIMIT */
  async claimRecord(
    accountId: string,
    key: string,
    value: string,
    ttlSeconds: number,
  ): Promise<{ claimed: boolean; value: string }> {
    return accountRecords(this.env, accountId).claim(key, value, ttlSeconds)
  }

  /** Writes one of the account's records. @throws ERR_RECORD_LIMIT */
  async putRecord(accountId: string, key: string, value: string, ttlSeconds: number): Promise<void> {
    await accountRecords(this.env, accountId).put(key, value, ttlSeconds)
  }

  async getRecord(accountId: string, key: string): Promise<string | undefined> {
    return accountRecords(this.env, accountId).get(key)
  }

  async deleteRecord(accountId: string, key: string): Promise<void> {
    await accountRecords(this.env, accountId).delete(key)
  }

  /** Who is to fetch what is missing in the account's caches; waits while another does. */
  async beginFetch(accountId: string, key: string): Promise<{ isFetcher: boolean; handle: string }> {
    return accountRecords(this.env, accountId).begin(key)
  }

  /** Takes messages into a queue; on disk when the caller has the answer. @throws ERR_QUEUE_NOT_FOUND, ERR_QUEUE_FULL */
  async sendToQueue(
    accountId: string,
    object: string,
    messages: readonly NewMessage[],
  ): Promise<QueueMetrics> {
    return queueObject(this.env, accountId, object).send(messages)
  }

  /** What waits in a queue. */
  async queueMetrics(accountId: string, object: string): Promise<QueueMetrics> {
    return queueObject(this.env, accountId, object).metrics()
  }

  /** A call of an R2 bucket's object: what edges ask of it, see bindings/r2/bucket-stub.ts. */
  callBucket(accountId: string, bucketId: string, call: BucketCall): Promise<unknown> {
    return callBucket(this.env, accountId, bucketId, call)
  }

  /** A call of a workflow's object that a function made: see bindings/workflow/stub.ts. */
  callWorkflow(accountId: string, object: string, call: WorkflowCall): Promise<unknown> {
    return callWorkflow(this.env, accountId, object, call)
  }

  /** What ties a run that an edge was asked for to its instance. */
  async attachRun(accountId: string, object: string, token: string): Promise<RunLink> {
    return workflowObject(this.env, accountId, object).attach(token) as unknown as RunLink
  }

  /** Has every edge of this machine forget what it stored under keys; one that can't be reached is given up on soon. */
  async forgetCached(keys: readonly string[]): Promise<void> {
    const late = new Promise<void>(resolve => setTimeout(resolve, FORGET_TIMEOUT_MS))
    const told = edgeRoles(this.env, this.ctx.exports).map(edge => edge.forgetCached(keys))
    await Promise.race([Promise.allSettled(told), late])
  }

  /** That fetch goes on: who isn't heard of for two seconds has lost it to one who waits. */
  async renewFetch(accountId: string, key: string, handle: string): Promise<void> {
    await accountRecords(this.env, accountId).renew(key, handle)
  }

  /** That fetch is over. */
  async endFetch(accountId: string, key: string, handle: string): Promise<void> {
    await accountRecords(this.env, accountId).done(key, handle)
  }
}

/** Whoever wrote there waits no longer for his answer. */
const FORGET_TIMEOUT_MS = 500
