import type { Binding, ModuleType, Program } from '../../src/core/manifest.ts'

/** A script as a test sends it to `runtime.ts`. */
export interface TestScript {
  readonly format?: Program['format']
  readonly mainModule: string
  /** By name: the type, and the bytes as base64. */
  readonly modules: Readonly<Record<string, { readonly type: ModuleType; readonly base64: string }>>
  readonly compatibilityDate?: string
  readonly compatibilityFlags?: readonly string[]
  readonly bindings?: readonly Binding[]
}
