import { SkerryError } from './core/errors.ts'
import { createRequestId } from './core/ids.ts'
import type { EventResult } from './core/outcome.ts'
import type { EdgeVersion, ScriptTarget } from './core/routing.ts'
import { describeQuarantine, inForce, retryAfterSeconds } from './core/strikes.ts'
import { respondProblem } from './respond.ts'

/**
 * What a caller gets of a function in quarantine: 503, when to come back, and why; `undefined` = call it.
 *
 * For the hot path: ask only where `target.entry.quarantine` is not `undefined`.
 *
 * @param preview the version that a preview host names: there, only struck code is kept away, so that a
 * correction can be tried before it is deployed
 */
export function respondIfQuarantined(
  { name, entry }: ScriptTarget,
  nowMs: number,
  preview?: EdgeVersion,
): Response | undefined {
  const found = preview ? entry.quarantinedIsolates?.[preview.isolate] : entry.quarantine
  const quarantine = inForce(found, nowMs)
  if (!quarantine) return undefined
  const error = new SkerryError('ERR_FUNCTION_QUARANTINED', describeQuarantine(name, quarantine))
  return respondProblem(error, createRequestId(), {
    'retry-after': String(retryAfterSeconds(quarantine, nowMs)),
  })
}

/** What another function sees that calls it through a service binding. @throws ERR_FUNCTION_QUARANTINED */
export function throwIfQuarantined({ name, entry }: ScriptTarget, nowMs: number): void {
  const quarantine = inForce(entry.quarantine, nowMs)
  if (quarantine) throw new SkerryError('ERR_FUNCTION_QUARANTINED', describeQuarantine(name, quarantine))
}

/** How a tick of its crons ends, without being run: as over the limit again, and not to be retried. */
export function skipIfQuarantined({ name, entry }: ScriptTarget, nowMs: number): EventResult | undefined {
  const quarantine = inForce(entry.quarantine, nowMs)
  if (!quarantine) return undefined
  const outcome = quarantine.kind === 'memory' ? 'exceededMemory' : 'exceededCpu'
  return { outcome, noRetry: true, error: describeQuarantine(name, quarantine) }
}
