import { toSkerryError } from '../src/core/errors.ts'
import type { ExportRef } from '../src/core/manifest.ts'
import { PRELUDE_DIRECTORY } from './module-names.ts'

/** What starting a program showed. `message` is the runtime's, as Cloudflare words it: the author reads it. */
export type ProbeResult =
  | { readonly ok: true; readonly exports: ExportRef[]; readonly startupTimeMs: number }
  | { readonly ok: false; readonly message: string }

/**
 * Why a program didn't start, as Cloudflare words it: the runtime's own message with file, line and column, less
 * workerd's wrapping and the frames of the platform's modules.
 */
export function toStartupMessage(error: unknown): string {
  const raw = toSkerryError(error)?.detail ?? (error instanceof Error ? error.message : String(error))
  const experimental = /^The compatibility flag (\S+) is experimental/.exec(raw)
  if (experimental) {
    return `The compatibility flag ${experimental[1]} is experimental and is not supported here. Remove it.`
  }
  return raw
    .replace(/^(?:Error: )?Failed to start Worker:\n/, '')
    .split('\n')
    .filter(line => !line.startsWith(`  at ${PRELUDE_DIRECTORY}/`))
    .map(line => line.replace(/^( {2}at .*) in eval$/, '$1'))
    .join('\n')
}

/** Why a program's exports can't be deployed, in words for its author; `undefined` if they can. */
export function checkHandlers(exports: readonly ExportRef[]): string | undefined {
  const main = exports.find(ref => ref.name === 'default')
  if (main?.kind === 'other') {
    return (
      'The default export has no event handlers. Export an object with handlers, such as ' +
      '`export default { fetch(request) {} }`, or a class that extends WorkerEntrypoint.'
    )
  }
  return exports.some(ref => ref.kind !== 'other')
    ? undefined
    : 'No event handlers were registered. This script does nothing.'
}
