import { HARNESS_ENTRYPOINT } from '../bindings/service/kind.ts'
import type { BatchResult, ScheduledEvent } from '../src/core/invoker.ts'
import type { ExportRef } from '../src/core/manifest.ts'
import type { EventResult } from '../src/core/outcome.ts'
import { PRELUDE_DIRECTORY } from './module-names.ts'

/**
 * The calls that `prelude/harness.prelude.js` answers inside a user's isolate. Its answers are text made by
 * code that shares the isolate with the user's: nothing in them is trusted beyond its shape.
 */
interface Harness {
  describe(): Promise<unknown>
  evict(): Promise<unknown>
  runTail(items: readonly unknown[]): Promise<unknown>
  runScheduled(event: ScheduledEvent): Promise<unknown>
  runQueue(event: unknown): Promise<unknown>
}

const KINDS: readonly string[] = ['entrypoint', 'durable-object', 'workflow', 'handlers', 'other']
const MAX_EXPORTS = 10_000

function harnessOf(worker: Pick<WorkerStub, 'getEntrypoint'>): Harness {
  return worker.getEntrypoint(HARNESS_ENTRYPOINT) as unknown as Harness
}

/** What the isolate's main module exports. Starts the isolate, and rejects with workerd's message if that fails. */
export async function describeExports(worker: WorkerStub): Promise<ExportRef[]> {
  const answer = parseAnswer(await harnessOf(worker).describe())
  if (!Array.isArray(answer)) throw new Error('The isolate gave no list of exports.')
  return answer.slice(0, MAX_EXPORTS).map(toExportRef)
}

/**
 * Ends the isolate from inside. Requests that run in it finish; the next `LOADER.get` of its id loads it anew.
 * User code can't disable it, only hang.
 */
export async function evictIsolate(worker: WorkerStub): Promise<void> {
  await harnessOf(worker).evict()
}

/**
 * Runs `scheduled()` by RPC, where the host can't deliver the event natively, and waits for what it passed to
 * `ctx.waitUntil`; the importable `waitUntil` isn't waited for. Rejects only when the isolate can't be reached.
 */
export async function callScheduled(worker: WorkerStub, event: ScheduledEvent): Promise<EventResult> {
  const { cron, scheduledTime } = event
  const answer = parseAnswer(await harnessOf(worker).runScheduled({ cron, scheduledTime }))
  const { outcome, noRetry, error } = (answer ?? {}) as Record<string, unknown>
  return {
    outcome: outcome === 'ok' ? 'ok' : 'exception',
    noRetry: noRetry === true,
    ...(typeof error === 'string' && { error: withoutOurFrames(error) }),
  }
}

/**
 * Runs `queue()` by RPC, likewise. Bodies are values here: those that the runtime would read natively were read
 * before.
 */
export async function callQueue(
  worker: WorkerStub,
  queue: string,
  messages: readonly { readonly id: string; readonly [field: string]: unknown }[],
  metadata: unknown,
): Promise<BatchResult> {
  const answer = parseAnswer(await harnessOf(worker).runQueue({ queue, messages, metadata }))
  const { outcome, error, ackAll, retry, each } = (answer ?? {}) as Record<string, unknown>
  const verdicts = Array.isArray(each) ? each : []
  const ids = (isWanted: (verdict: unknown) => boolean) =>
    messages.flatMap(({ id }, i) => (isWanted(verdicts[i]) ? [{ id, verdict: verdicts[i] }] : []))
  return {
    outcome: outcome === 'ok' ? 'ok' : 'exception',
    ackAll: ackAll === true,
    retryBatch: { retry: typeof retry === 'number', ...toDelay(retry) },
    explicitAcks: ids(verdict => verdict === 'ack').map(({ id }) => id),
    retryMessages: ids(verdict => typeof verdict === 'number').map(({ id, verdict }) => ({
      msgId: id,
      ...toDelay(verdict),
    })),
    ...(typeof error === 'string' && { error: withoutOurFrames(error) }),
  }
}

function toDelay(seconds: unknown): { delaySeconds?: number } {
  return typeof seconds === 'number' && seconds >= 0 ? { delaySeconds: seconds } : {}
}

/** Runs `tail()` on traces of another script; rejects as it does. */
export async function callTail(
  worker: Pick<WorkerStub, 'getEntrypoint'>,
  items: readonly unknown[],
): Promise<void> {
  await harnessOf(worker).runTail(items)
}

function parseAnswer(answer: unknown): unknown {
  if (typeof answer !== 'string') throw new Error('The isolate gave no answer.')
  return JSON.parse(answer)
}

function withoutOurFrames(stack: string): string {
  return stack
    .split('\n')
    .filter(
      line => !line.includes(`(${PRELUDE_DIRECTORY}/`) && !line.startsWith(`    at ${PRELUDE_DIRECTORY}/`),
    )
    .join('\n')
}

function toExportRef(raw: unknown): ExportRef {
  const { name, kind, handlers } = (raw ?? {}) as Record<string, unknown>
  return {
    name: String(name),
    kind: (KINDS.includes(String(kind)) ? kind : 'other') as ExportRef['kind'],
    handlers: Array.isArray(handlers) ? handlers.map(String) : [],
  }
}
