import { WorkerEntrypoint } from 'cloudflare:workers'
import { hasObjects } from '../bindings/durable-object/call.ts'
import { bindEnv } from '../bindings/index.ts'
import { dispose } from '../bindings/workflow/value.ts'
import { forgetCached } from '../routes/policies/cache/memory.ts'
import { callScheduled } from '../runtime/harness.ts'
import { loadWorker, readAhead, readModules } from '../runtime/loader.ts'
import { type ProbeResult, probeProgram } from '../runtime/probe.ts'
import { runBatch } from '../runtime/queue-batch.ts'
import { runWorkflow } from '../runtime/workflow-run.ts'
import { toSkerryError } from './core/errors.ts'
import type { ExplainRequest, Explanation } from './core/explain.ts'
import type {
  BatchResult,
  InvocationTarget,
  Invoker,
  RunLink,
  RunOutcome,
  RunRequest,
  ScheduledEvent,
} from './core/invoker.ts'
import { PROBE_PREFIX, toIsolateId } from './core/isolate-id.ts'
import { LIMITS } from './core/limits.ts'
import type { Binding, Program } from './core/manifest.ts'
import type { EventResult } from './core/outcome.ts'
import type { QueueBatch } from './core/queue.ts'
import { resourceKey } from './core/resources.ts'
import type { AccountChanges } from './core/routing.ts'
import { unitHash } from './core/unit-hash.ts'
import { applyChanges, prepareTable, table } from './edge-table.ts'
import type { EdgeEnv } from './env.ts'
import { explainRequest } from './explain.ts'
import { leaveOldCode } from './object-code.ts'
import { type RouteMetrics, readRouteMetrics } from './observe/route-metrics.ts'
import { skipIfQuarantined } from './quarantine.ts'
import { stateRole } from './roles.ts'
import { pickByShare } from './split.ts'

/** What the state role asks of an edge: to follow changes, and to run users' code on its behalf. */
export class Edge extends WorkerEntrypoint<EdgeEnv> implements Invoker {
  /** Answers; an edge that is gone doesn't. */
  ping(): void {}

  /** Takes a change of the registry in; returns when requests see it. */
  async apply(changes: AccountChanges): Promise<void> {
    await applyChanges(changes, this.env, this.ctx.exports)
    this.ctx.waitUntil(readAhead(changes.accountId, changes.scripts, this.env, this.ctx))
    if (hasObjects(this.env)) this.ctx.waitUntil(leaveOldCode(changes.accountId, this.env))
  }

  /** Forgets responses that were stored under keys, because their URLs were written to. */
  forgetCached(keys: readonly string[]): void {
    forgetCached(keys)
  }

  /** What this process has counted of routes. */
  metrics(): RouteMetrics {
    return readRouteMetrics(this.env.SKERRY_PROCESS ?? 'skerry')
  }

  /** What a request would lead to in an account, and why. */
  async explain(accountId: string, request: ExplainRequest): Promise<Explanation> {
    await prepareTable(this.env, this.ctx)
    return explainRequest(accountId, request, this.env, this.ctx)
  }

  /**
   * Really loads uploaded code and tells what it exports. It gets its bindings, as top-level code may look at
   * them, but no way out.
   *
   * @param kvPrefixes the prefixes of the account's namespaces, by id
   * @param turnMs the longest turn of its top level
   */
  async probe(
    owner: InvocationTarget,
    program: Program,
    bindings: readonly Binding[],
    kvPrefixes: Readonly<Record<string, string>>,
    turnMs: number,
  ): Promise<ProbeResult> {
    const modules = await readModules(this.env.CODE, program.modules)
    const scope = {
      ...owner,
      versionId: '',
      versionTag: '',
      createdOn: '',
      kvPrefixes,
      resources: toPlaceholders(bindings, owner.script),
      d1: this.env.D1,
      exports: this.ctx.exports,
    }
    const { promise: late, resolve } = Promise.withResolvers<ProbeResult>()
    const timer = setTimeout(() => resolve({ ok: false, message: STARTUP_TIMEOUT }), LIMITS.startupMs)
    try {
      const probe = probeProgram(
        this.env.LOADER,
        { ...program, bindings },
        modules,
        bindEnv(bindings, scope),
        null,
        // No version has this digest, so an end of the process is no strike.
        toIsolateId({ ...owner, turnMs, digest: `${PROBE_PREFIX}${crypto.randomUUID()}` }),
      )
      return await Promise.race([probe, late])
    } finally {
      clearTimeout(timer)
    }
  }

  /** Runs a function's `scheduled()` and waits for it and its `waitUntil`. */
  async runScheduled({ accountId, script }: InvocationTarget, event: ScheduledEvent): Promise<EventResult> {
    await prepareTable(this.env, this.ctx)
    const target = table.script(accountId, script)
    const version = target && pickByShare(target.entry.versions, Math.random())
    if (!target || !version) return { outcome: 'scriptNotFound', noRetry: true }
    const skipped = skipIfQuarantined(target, Date.now())
    if (skipped) return skipped
    try {
      const stub = loadWorker(target, version, Date.now(), this.env, this.ctx)
      // Natively, tails see a cron event; the flag that allows it can't be deployed to Cloudflare.
      if (this.env.SKERRY_HOST_KIND === 'cloudflare') return await callScheduled(stub, event)
      const scheduledTime = new Date(event.scheduledTime)
      const { outcome, noRetry } = await stub.getEntrypoint().scheduled({ cron: event.cron, scheduledTime })
      return { outcome: outcome as EventResult['outcome'], noRetry }
    } catch (error) {
      // A code of ours: the platform failed, and another try may succeed. Anything else is the function's.
      if (toSkerryError(error)) throw error
      return { outcome: 'exception', noRetry: true, error: String(error) }
    }
  }

  /** Runs a function's `queue()` on a batch and waits for it and its `waitUntil`. */
  async runQueue({ accountId, script }: InvocationTarget, batch: QueueBatch): Promise<BatchResult> {
    await prepareTable(this.env, this.ctx)
    const target = table.script(accountId, script)
    const version = target && pickByShare(target.entry.versions, Math.random())
    if (!target || !version) return { ...NOT_CALLED, outcome: 'scriptNotFound' }
    const skipped = skipIfQuarantined(target, Date.now())
    if (skipped) return { ...NOT_CALLED, ...skipped }
    try {
      const stub = loadWorker(target, version, Date.now(), this.env, this.ctx)
      return await runBatch(stub, batch, this.env.SKERRY_HOST_KIND !== 'cloudflare')
    } catch (error) {
      if (toSkerryError(error)) throw error
      return { ...NOT_CALLED, skipped: false, outcome: 'exception', error: String(error) }
    }
  }

  /** Does the run of a workflow that the body names, for as long as the request lasts. */
  override async fetch(request: Request): Promise<Response> {
    const { accountId, script, object, token, ...run } = (await request.json()) as RunRequest
    const state = stateRole(this.env, this.ctx.exports)
    const link = (await state.attachRun(accountId, object, token)) as unknown as RunLink
    try {
      const outcome = await this.#runWorkflow({ accountId, script }, run, link)
      await link.finish(outcome)
      if ('output' in outcome) dispose(outcome.output)
    } finally {
      dispose(link)
    }
    return new Response()
  }

  async #runWorkflow(
    { accountId, script }: InvocationTarget,
    { className, instanceId }: Pick<RunRequest, 'className' | 'instanceId'>,
    link: RunLink,
  ): Promise<RunOutcome> {
    await prepareTable(this.env, this.ctx)
    const target = table.script(accountId, script)
    // The same one each time: a gradual deployment must not swing an instance back and forth.
    const version = target && pickByShare(target.entry.versions, unitHash(instanceId))
    if (!target || !version) return { outcome: 'skipped', error: `The Worker "${script}" is not deployed.` }
    const skipped = skipIfQuarantined(target, Date.now())
    if (skipped) return { outcome: 'skipped', error: skipped.error ?? '' }
    return runWorkflow(loadWorker(target, version, Date.now(), this.env, this.ctx), className, link)
  }
}

/** A batch that the function didn't get. */
const NOT_CALLED = {
  skipped: true,
  ackAll: false,
  retryBatch: { retry: false },
  explicitAcks: [],
  retryMessages: [],
}

/** Top-level code may look at its bindings and can't use them: so what is to come with the version needn't be there. */
function toPlaceholders(bindings: readonly Binding[], script: string): Record<string, string> {
  const keys = bindings.flatMap(binding => resourceKey(binding, script) ?? [])
  return Object.fromEntries(keys.map(key => [key, PLACEHOLDER]))
}

/** No object has this id. */
const PLACEHOLDER = '0'.repeat(32)

/** Cloudflare's words for code whose top level takes too long. */
const STARTUP_TIMEOUT = `Script startup timed out: its top level did not finish within ${LIMITS.startupMs} ms.`
