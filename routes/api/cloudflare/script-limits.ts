import * as v from 'valibot'
import { SkerryError } from '../../../src/core/errors.ts'

/** Cloudflare's bounds. */
const cpuMs = v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.maxValue(300_000))

/**
 * A version's `limits`. CPU time bounds one synchronous turn here (docs/containment.md); nobody counts subrequests,
 * but they are kept and shown.
 */
export const Limits = v.object({ cpu_ms: v.optional(cpuMs), subrequests: v.optional(v.number()) })

/** The same of a request's body; `null` = none any more. @throws ERR_API_BODY */
export function parseLimits(value: unknown): v.InferOutput<typeof Limits> | null {
  const parsed = v.safeParse(v.nullable(Limits), value)
  if (parsed.success) return parsed.output
  const [{ path, expected, received }] = parsed.issues
  const field = ['limits', ...(path ?? []).map(({ key }) => String(key))].join('.')
  throw new SkerryError('ERR_API_BODY', `The field "${field}" must be ${expected}, not ${received}.`)
}
