import type { PolicyKind } from './policy.ts'

/** Every type of policy that a gateway file may use, by what stands in `type`. */
export const POLICY_KINDS: ReadonlyMap<string, PolicyKind<unknown>> = new Map(
  ([] as PolicyKind<unknown>[]).map(kind => [kind.type, kind]),
)
