import type { Binding, ExportRef, Program, StoredBinding } from '../src/core/manifest.ts'
import { describeExports } from './harness.ts'
import { toProbeCode } from './worker-code.ts'

/** What starting a program showed. `message` is the runtime's, as Cloudflare words it: the author reads it. */
export type ProbeResult =
  | { readonly ok: true; readonly exports: ExportRef[]; readonly startupTimeMs: number }
  | { readonly ok: false; readonly message: string }

/**
 * Really starts a program in an isolate of its own, and reports what its main module exports.
 *
 * `env` needs every binding's name: top-level code may read it. `startupTimeMs` is the time of the first call
 * less that of a second, warm one: compiling and running the top level, without the hop; at least 1. The
 * isolate is dropped afterwards. A program that never finishes its top level never settles: the caller bounds
 * the time.
 */
export async function probeProgram(
  loader: WorkerLoader,
  program: Program & { readonly bindings?: readonly (Binding | StoredBinding)[] },
  modules: ReadonlyMap<string, Uint8Array>,
  env: Record<string, unknown>,
  globalOutbound: Fetcher | null,
): Promise<ProbeResult> {
  try {
    const worker = loader.load(toProbeCode(program, modules, { env, globalOutbound }))
    const startedAtMs = performance.now()
    const exports = await describeExports(worker)
    const loadedAtMs = performance.now()
    await describeExports(worker)
    const coldMs = loadedAtMs - startedAtMs
    const warmMs = performance.now() - loadedAtMs
    return { ok: true, exports, startupTimeMs: Math.max(1, Math.ceil(coldMs - warmMs)) }
  } catch (error) {
    return { ok: false, message: toStartupMessage(error) }
  }
}

/** The runtime's message without workerd's wrapping, in Cloudflare's words. */
export function toStartupMessage(error: unknown): string {
  const raw = error instanceof Error ? error.message : String(error)
  return raw
}

/**
 * Why a program's exports can't be deployed, in words for its author; `undefined` if they can.
 *
 * For ERR_SCRIPT_NO_HANDLER.
 */
export function checkHandlers(exports: readonly ExportRef[]): string | undefined {
  const main = exports.find(ref => ref.name === 'default')
  if (main?.kind === 'other') {
    return (
      'The default export has no event handlers. Export an object with handlers, such as ' +
      '`export default { fetch(request) {} }`, or a class that extends WorkerEntrypoint.'
    )
  }
  const isUseful = exports.some(ref =>
    ref.kind === 'handlers' ? ref.handlers.length > 0 : ref.kind !== 'other',
  )
  return isUseful ? undefined : 'No event handlers were registered. This script does nothing.'
}
