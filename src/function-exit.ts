import { hasEndedItself } from '../runtime/loader.ts'
import type { EdgeVersion } from './core/routing.ts'
import type { EdgeEnv } from './env.ts'

/**
 * With what a function ended the request that it was to answer, if a call failed by that: `process.exit(1)`, or
 * `abortIsolate()`. A function may say of itself that it exited: it is its own failure in any case.
 *
 * @param error what the call failed with
 * @param sinceMs when it began
 */
export async function exitOf(
  error: unknown,
  version: EdgeVersion,
  sinceMs: number,
  env: EdgeEnv,
  ctx: ExecutionContext,
): Promise<string | undefined> {
  const message = error instanceof Error ? error.message : String(error)
  const exit = EXIT.exec(message)
  if (exit) return exit[1]
  if (!isPerhapsAborted(message)) return undefined
  return (await hasEndedItself(version, sinceMs, env, ctx)) ? 'abortIsolate()' : undefined
}

/** workerd's words (2026-11-17), as are those below. */
const EXIT = /^The Node\.js (process\.exit\(-?\d{1,10}\)) API was called/

/** An isolate that ends breaks the request that has its thread; one that waited in it never ends. */
function isPerhapsAborted(message: string): boolean {
  return message.startsWith('internal error') || message.includes("your Worker's code had hung")
}
