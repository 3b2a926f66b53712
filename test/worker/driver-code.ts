import { type CodeOptions, toWorkerCode } from '../../runtime/worker-code.ts'
import type { Binding, ExportRef } from '../../src/core/manifest.ts'

/** A driver of a contract as the loader wants it: the one module of a function of its own. */
export function toDriverCode(
  driver: string,
  version: {
    readonly compatibilityDate: string
    readonly exports: readonly ExportRef[]
    readonly bindings?: readonly Binding[]
  },
  options: CodeOptions,
): WorkerLoaderWorkerCode {
  return toWorkerCode(
    {
      format: 'modules',
      mainModule: 'driver.js',
      modules: [{ name: 'driver.js', type: 'esm', digest: '', sizeBytes: 0 }],
      compatibilityFlags: [],
      ...version,
    },
    new Map([['driver.js', new TextEncoder().encode(driver)]]),
    options,
  )
}
