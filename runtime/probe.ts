import type { Binding, Program, StoredBinding } from '../src/core/manifest.ts'
import { describeExports, evictIsolate } from './harness.ts'
import { type ProbeResult, toStartupMessage } from './startup-report.ts'
import { toProbeCode } from './worker-code.ts'

export { checkHandlers, type ProbeResult } from './startup-report.ts'

/**
 * Really starts a program in an isolate of its own, and reports what its main module exports.
 *
 * `env` needs every binding's name: top-level code may read it. `startupTimeMs` is the time of the first call
 * less that of a second, warm one: compiling and running the top level, without the hop; at least 1. The
 * isolate is dropped afterwards. A program that never finishes its top level never settles: the caller bounds
 * the time.
 *
 * @param id the isolate's, unique: whoever watches the process sees by it whose code hangs
 */
export async function probeProgram(
  loader: WorkerLoader,
  program: Program & { readonly bindings?: readonly (Binding | StoredBinding)[] },
  modules: ReadonlyMap<string, Uint8Array>,
  env: Record<string, unknown>,
  globalOutbound: Fetcher | null,
  id: string,
): Promise<ProbeResult> {
  const worker = loader.get(id, () => toProbeCode(program, modules, { env, globalOutbound }))
  try {
    const startedAtMs = performance.now()
    const exports = await describeExports(worker)
    const loadedAtMs = performance.now()
    await describeExports(worker)
    const coldMs = loadedAtMs - startedAtMs
    const warmMs = performance.now() - loadedAtMs
    return { ok: true, exports, startupTimeMs: Math.max(1, Math.ceil(coldMs - warmMs)) }
  } catch (error) {
    const message = toStartupMessage(error)
    return { ok: false, message: (await locateSyntaxError(loader, program, modules, message)) ?? message }
  } finally {
    // Code that didn't start is gone already.
    await evictIsolate(worker).catch(() => undefined)
  }
}

/**
 * A syntax error in an evaluated script has no position. The same text as a CommonJS module, which is compiled
 * as a script too, has. A syntax error keeps it from running.
 */
async function locateSyntaxError(
  loader: WorkerLoader,
  program: Program,
  modules: ReadonlyMap<string, Uint8Array>,
  message: string,
): Promise<string | undefined> {
  const source = modules.get(program.mainModule)
  if (program.format !== 'service-worker' || !source || !message.startsWith('Uncaught SyntaxError'))
    return undefined
  const name = JSON.stringify(`./${program.mainModule}`)
  const worker = loader.load({
    compatibilityDate: program.compatibilityDate,
    mainModule: 'locate.js',
    modules: {
      'locate.js': `import ${name}\nexport default { fetch() {} }`,
      [program.mainModule]: { cjs: new TextDecoder().decode(source) },
    },
    env: {},
    globalOutbound: null,
  })
  try {
    await worker.getEntrypoint().fetch('http://locate/')
  } catch (error) {
    const located = toStartupMessage(error)
    if (located.startsWith('Uncaught SyntaxError')) return located
  }
  return undefined
}
