import { SkerryError } from './core/errors.ts'
import type { AccountChanges } from './core/routing.ts'
import type { CommonEnv, EdgeEnv, StateEnv } from './env.ts'

/**
 * Where the other roles are: bound when they are other processes, else loopback. The only file that knows.
 * It imports types and errors alone, so that any Worker file may ask.
 */

type StateStub = Cloudflare.Exports['State']
type EdgeStub = Cloudflare.Exports['Edge']
type ObjectsStub = Cloudflare.Exports['Objects']

/** The state role, as edges reach it. A call fails at once while its process restarts: see `askState`. */
export function stateRole(env: CommonEnv, exports: Cloudflare.Exports): StateStub {
  return ((env as EdgeEnv).STATE as StateStub | undefined) ?? exports.State
}

/**
 * Asks the state role, waiting up to two seconds for it to be back if it is away. `ask` may run more than once:
 * use it for what may be repeated.
 *
 * @throws ERR_STATE_UNAVAILABLE when it stays away, and whatever `ask` throws
 */
export async function askState<T>(
  env: CommonEnv,
  exports: Cloudflare.Exports,
  ask: (state: StateStub) => Promise<T>,
): Promise<T> {
  const state = stateRole(env, exports)
  if (!(env as EdgeEnv).STATE) return ask(state)
  return repeatWhileAway(() => ask(state))
}

/**
 * Repeats a call to the state process (also to its stores) while the process is away, for at most `awayMs`, two
 * seconds if not given.
 *
 * @throws ERR_STATE_UNAVAILABLE after that, and whatever else `call` throws
 */
export async function repeatWhileAway<T>(call: () => Promise<T>, awayMs = AWAY_MS): Promise<T> {
  const endMs = Date.now() + awayMs
  for (let pauseMs = 10; ; pauseMs = Math.min(pauseMs * 2, 40)) {
    try {
      return await call()
    } catch (error) {
      if (!isAway(error)) throw error
      if (Date.now() >= endMs) throw stateUnavailable(error)
      await scheduler.wait(pauseMs)
    }
  }
}

/** Whether a call failed because the process it went to is gone, or not there yet. */
export function isAway(error: unknown): boolean {
  const message = error instanceof Error ? error.message : ''
  // A socket that nobody listens on, or a connection that broke; one whose file is missing (workerd 2026-11-17).
  return message === 'Network connection lost.' || message.startsWith('internal error; reference =')
}

/** The state process can't be reached; says nothing of what became of a change that was sent to it. */
export function stateUnavailable(cause: unknown): SkerryError {
  return new SkerryError(
    'ERR_STATE_UNAVAILABLE',
    "The platform's state process is not answering; it is being restarted.",
    { cause },
  )
}

/** Every edge of this machine, as the state role reaches them: changes are pushed to all. Some may be away. */
export function edgeRoles(env: CommonEnv, exports: Cloudflare.Exports): EdgeStub[] {
  const bound: EdgeStub[] = []
  for (let edge = edgeAt(env, 0); edge; edge = edgeAt(env, bound.length)) bound.push(edge)
  return bound.length > 0 ? bound : [exports.Edge]
}

/** The objects role, as edges, state and itself reach it. A call isn't repeated: what it did before it was lost nobody knows. */
export function objectsRole(env: CommonEnv, exports: Cloudflare.Exports): ObjectsStub {
  return ((env as EdgeEnv).OBJECTS as ObjectsStub | undefined) ?? exports.Objects
}

/** Every process of this machine that follows the registry, as the state role reaches it. */
export function followers(
  env: CommonEnv,
  exports: Cloudflare.Exports,
): { apply(changes: AccountChanges): Promise<void> }[] {
  const edges = edgeRoles(env, exports)
  // In one process they have one memory.
  return (env as StateEnv).OBJECTS ? [...edges, objectsRole(env, exports)] : edges
}

function edgeAt(env: CommonEnv, index: number): EdgeStub | undefined {
  return (env as StateEnv)[`EDGE_${index}`] as EdgeStub | undefined
}

/**
 * An edge that answers, to run an event or a probe in: another one each time.
 *
 * @param carrier the process that a client's request came by: left out if there are others, as the code that
 * will be run may be the end of its process, and the client should still get an answer
 * @throws ERR_STATE_UNAVAILABLE when none does within two seconds
 */
export async function anyEdge(
  env: CommonEnv,
  exports: Cloudflare.Exports,
  carrier?: string | null,
): Promise<EdgeStub> {
  const edges = edgeRoles(env, exports)
  const [only] = edges
  if (only && edges.length === 1) return only
  // One name of them is spare: with two, the carrier is the only edge.
  const others = edges.filter((_, i) => `edge-${i}` !== carrier)
  const preferred =
    edges.length > 2 && (await repeatWhileAway(() => firstOf(others), OTHERS_MS).catch(() => {}))
  return preferred || repeatWhileAway(() => firstOf(edges))
}

/** The first of them that answers; each call begins with another. Rejects as the last that doesn't. */
async function firstOf(edges: readonly EdgeStub[]): Promise<EdgeStub> {
  let failure: unknown
  turn++
  for (let i = 0; i < edges.length; i++) {
    const edge = edges[(turn + i) % edges.length] as EdgeStub
    try {
      await edge.ping()
      return edge
    } catch (error) {
      failure = error
    }
  }
  throw failure
}

/** The header in which an edge tells the state role by which process a client's request came. */
export const CARRIER_HEADER = 'skerry-carrier'

let turn = 0

/** An edge is back sooner. */
const OTHERS_MS = 700

/** Two seconds: a restart takes a tenth of that, but nobody gains by failing early. */
const AWAY_MS = 2000
