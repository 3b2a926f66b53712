import type {
  Attempt,
  InstanceInfo,
  InstanceStatus,
  InstanceSummary,
  StepInfo,
  WorkflowInfo,
  WorkflowVersion,
} from '../../../bindings/workflow/types.ts'
import type { ResourceRecord } from '../../../src/registry/resources.ts'
import { timestamp } from '../../../src/registry/schema.ts'

/** A workflow as Cloudflare's API shows it. @param newest its newest instance */
export function toWorkflow(
  { id, name, created_on }: ResourceRecord,
  { script, className, counts, modifiedMs }: WorkflowInfo,
  newest: InstanceSummary | undefined,
) {
  return {
    id,
    name,
    script_name: script,
    class_name: className,
    created_on,
    modified_on: timestamp(modifiedMs),
    triggered_on: toTime(newest?.createdMs),
    instances: counts,
  }
}

/** What a workflow was at a time, as Cloudflare's API shows it. */
export function toVersion({ id: workflowId }: ResourceRecord, { id, className, createdMs }: WorkflowVersion) {
  const createdOn = timestamp(createdMs)
  return {
    id,
    workflow_id: workflowId,
    class_name: className,
    created_on: createdOn,
    modified_on: createdOn,
    language: 'javascript',
    has_dag: false,
  }
}

/** An instance in a list, as Cloudflare's API shows it. */
export function toListed(
  { id: workflowId }: ResourceRecord,
  { id, status, trigger, versionId, createdMs, modifiedMs, startedMs, endedMs }: InstanceSummary,
) {
  return {
    id,
    status,
    workflow_id: workflowId,
    version_id: versionId,
    trigger_source: trigger,
    created_on: timestamp(createdMs),
    modified_on: timestamp(modifiedMs),
    started_on: toTime(startedMs),
    ended_on: toTime(endedMs),
  }
}

/** An instance as Cloudflare's API shows it, its steps aside. */
export function toInstance(instance: InstanceInfo) {
  const { status, params, trigger, versionId, createdMs, startedMs, endedMs, error, output } = instance
  return {
    status,
    params: toJson(params),
    trigger: { source: trigger },
    versionId,
    queued: timestamp(createdMs),
    start: toTime(startedMs),
    end: toTime(endedMs),
    success: toSuccess(status),
    error: error ?? null,
    output: toJson(output),
    step_count: instance.stepCount,
  }
}

/**
 * A step as Cloudflare's API shows it. The end of a wait is not told before it is over: wrangler takes what
 * has an end for done.
 */
export function toStep(step: StepInfo) {
  const { type, success, error, output, config } = step
  const common = {
    name: `${step.name}-${step.count}`,
    start: timestamp(step.startMs),
    end: toTime(step.endMs),
    error: error ?? null,
  }
  const shown = output === undefined ? {} : { output: toJson(output) }
  switch (type) {
    case 'do': {
      const attempts = (step.attempts ?? []).map(attempt => toAttempt(attempt, success))
      return { ...common, type: 'step', success: success ?? null, ...shown, config, attempts }
    }
    case 'sleep':
      return { ...common, type, finished: success !== undefined }
    case 'waitForEvent':
      return { ...common, type, finished: success !== undefined, ...shown }
  }
}

function toAttempt({ startMs, endMs, error }: Attempt, success: boolean | undefined) {
  return {
    start: timestamp(startMs),
    end: toTime(endMs),
    success: endMs === undefined ? null : error === undefined && success !== false,
    error: error ?? null,
  }
}

function toSuccess(status: InstanceStatus): boolean | null {
  if (status === 'complete') return true
  return status === 'errored' || status === 'terminated' ? false : null
}

/** A time as text; `null` for one that isn't there yet. */
export function toTime(ms: number | undefined): string | null {
  return ms === undefined ? null : timestamp(ms)
}

/**
 * A value that functions made as JSON shows it; bytes as base64, and a note for what JSON can't have, such
 * as a circle.
 */
export function toJson(value: unknown): unknown {
  try {
    return JSON.parse(JSON.stringify(value, toShown) ?? 'null')
  } catch {
    return '[no JSON]'
  }
}

function toShown(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return String(value)
  if (value instanceof Map || value instanceof Set) return [...value]
  if (value instanceof Error) return { name: value.name, message: value.message }
  if (value instanceof ArrayBuffer) return new Uint8Array(value).toBase64()
  if (!ArrayBuffer.isView(value)) return value
  return new Uint8Array(value.buffer as ArrayBuffer, value.byteOffset, value.byteLength).toBase64()
}
