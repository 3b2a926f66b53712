import { decodeV8 } from '../queue/v8-decode.ts'
import { encodeV8 } from '../queue/v8-encode.ts'

/** A payload or result as it is stored. @throws DataCloneError for what can't be cloned, such as a stub or a stream */
export function encodeValue(value: unknown): Uint8Array<ArrayBuffer> {
  return encodeV8(value)
}

/** What was stored, anew each time. */
export function decodeValue(bytes: ArrayBuffer): unknown {
  return decodeV8(new Uint8Array(bytes))
}

/** Releases what an RPC's result holds of the other side. */
export function dispose(value: unknown): void {
  ;(value as Partial<Disposable> | null | undefined)?.[Symbol.dispose]?.()
}
