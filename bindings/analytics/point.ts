/** A data point as a function wrote it, checked. */
export interface DataPoint {
  readonly dataset: string
  readonly script: string
  /** Milliseconds since the epoch. */
  readonly atMs: number
  /** The sampling key; empty if there is none. */
  readonly index: string
  readonly doubles: readonly number[]
  /** `null` for those that were left out. */
  readonly blobs: readonly (string | null)[]
}

/** Per data point, as workerd has them (2026-11-17); one that is beyond is dropped. */
const POINT_LIMITS = {
  indexes: 1,
  /** UTF-8. */
  indexBytes: 96,
  doubles: 20,
  blobs: 20,
  /** Of all blobs together, UTF-8. */
  blobBytes: 16_000,
} as const

/** What an account keeps: the newest points of a dataset, within both bounds, of so many datasets. A tenth more is kept at times. */
export const KEPT = { points: 10_000, bytes: 16 * 1024 * 1024, datasets: 100 } as const

/**
 * A data point's values as the facade sends them, within the limits; `undefined` for what isn't. They come from a
 * function's isolate: nothing is taken for granted.
 */
export function parsePoint(raw: unknown): Pick<DataPoint, 'index' | 'doubles' | 'blobs'> | undefined {
  const { indexes, doubles, blobs } = (raw ?? {}) as Record<string, unknown>
  if (!Array.isArray(indexes) || indexes.length > POINT_LIMITS.indexes) return undefined
  if (!Array.isArray(doubles) || doubles.length > POINT_LIMITS.doubles) return undefined
  if (!Array.isArray(blobs) || blobs.length > POINT_LIMITS.blobs) return undefined
  if (doubles.some(value => typeof value !== 'number') || !blobs.concat(indexes).every(isBlob))
    return undefined
  if (bytesOf(indexes) > POINT_LIMITS.indexBytes || bytesOf(blobs) > POINT_LIMITS.blobBytes) return undefined
  return { index: toText(indexes[0] ?? null) ?? '', doubles, blobs: blobs.map(toText) }
}

type Blob = string | Uint8Array | null

function isBlob(value: unknown): value is Blob {
  return value === null || typeof value === 'string' || value instanceof Uint8Array
}

function bytesOf(blobs: readonly Blob[]): number {
  let sum = 0
  for (const blob of blobs) {
    sum += typeof blob === 'string' ? new TextEncoder().encode(blob).length : (blob?.length ?? 0)
  }
  return sum
}

function toText(blob: Blob): string | null {
  return blob instanceof Uint8Array ? new TextDecoder().decode(blob) : blob
}
