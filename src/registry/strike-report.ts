import * as v from 'valibot'
import { SkerryError } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'
import type { StateEnv } from '../env.ts'
import { accountRegistry, directory } from './stubs.ts'

/** A strike as the supervisor sends it. It was read from a process that ran users' code: nothing in it is trusted. */
const StrikeReport = v.object({
  id: v.pipe(v.string(), v.minLength(1), v.maxLength(64)),
  accountId: v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/)),
  script: v.pipe(v.string(), v.minLength(1), v.maxLength(LIMITS.scriptNameChars)),
  versionId: v.optional(v.pipe(v.string(), v.maxLength(36))),
  digest: v.pipe(v.string(), v.minLength(1), v.maxLength(256)),
  kind: v.picklist(['cpu', 'memory']),
  atMs: v.pipe(v.number(), v.finite(), v.minValue(0), v.transform(Math.round)),
  // Cut rather than refused: a strike that is lost counts for nothing.
  detail: v.pipe(
    v.string(),
    v.transform(text => text.slice(0, MAX_DETAIL_CHARS)),
  ),
})

const MAX_DETAIL_CHARS = 500

/** What a strike must be; see `Strike` for the fields' meaning. More fields are ignored. */
export type StrikeReport = v.InferInput<typeof StrikeReport>

/**
 * Takes a strike in, which the supervisor repeats until it is taken.
 *
 * @returns whether the function is in quarantine now; one of an account, script or version that is gone is ignored
 * @throws ERR_API_BODY if it is malformed: repeating it won't help
 */
export async function recordStrike(env: StateEnv, report: unknown): Promise<{ quarantined: boolean }> {
  const parsed = v.safeParse(StrikeReport, report)
  if (!parsed.success) {
    const [{ path, message }] = parsed.issues
    const field = path?.map(({ key }) => String(key)).join('.') ?? 'the body'
    throw new SkerryError('ERR_API_BODY', `The strike is malformed: ${field}: ${message}.`)
  }
  const { accountId, script, versionId, ...strike } = parsed.output
  const account = await directory(env).account(accountId)
  if (!account) return { quarantined: false }
  const registry = await accountRegistry(env, account)
  return registry.addStrike(script, { ...strike, ...(versionId !== undefined && { versionId }) })
}
