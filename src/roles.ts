import type { CommonEnv, EdgeEnv, StateEnv } from './env.ts'

/**
 * Where the other roles are: bound when they are other processes, else loopback. The only file that knows.
 * It imports types alone, so that any Worker file may ask.
 */

/** The state role, as edges reach it. */
export function stateRole(env: CommonEnv, exports: Cloudflare.Exports): Cloudflare.Exports['State'] {
  return ((env as EdgeEnv).STATE as Cloudflare.Exports['State'] | undefined) ?? exports.State
}

/** Every edge of this machine, as the state role reaches them: changes are pushed to all. */
export function edgeRoles(env: CommonEnv, exports: Cloudflare.Exports): Cloudflare.Exports['Edge'][] {
  return [((env as StateEnv).EDGE as Cloudflare.Exports['Edge'] | undefined) ?? exports.Edge]
}

/** An edge to run an event or a probe in. */
export function anyEdge(env: CommonEnv, exports: Cloudflare.Exports): Cloudflare.Exports['Edge'] {
  return edgeRoles(env, exports)[0] ?? exports.Edge
}
