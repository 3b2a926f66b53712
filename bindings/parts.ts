import type { Binding } from '../src/core/manifest.ts'
import type { BindingKind } from './binding.ts'
import { requireText } from './fields.ts'

type PartType = 'wasm_module' | 'text_blob' | 'data_blob'

/**
 * A module of the upload as a global, for scripts in service-worker syntax, which can't import. It is part of
 * the code (runtime/worker-code.ts), so there is nothing to bind.
 */
function createPartKind<T extends PartType>(type: T): BindingKind<T> {
  return {
    type,
    parse: (input, name) =>
      ({ type, name, part: requireText(input, 'part', name) }) as Extract<Binding, { type: T }>,
    bind: () => undefined,
  }
}

export const wasmModule = createPartKind('wasm_module')
export const textBlob = createPartKind('text_blob')
export const dataBlob = createPartKind('data_blob')
