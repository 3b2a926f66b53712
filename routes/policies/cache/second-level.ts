import type { CacheService, StoredBytes } from '../services.ts'
import { Entry, type EntryInit } from './entry.ts'
import { isPurged } from './purge.ts'
import { varyPairs } from './vary.ts'

/** What stands under a URL and partition where responses vary: by which fields, and under which names they are. */
interface Pointer {
  readonly vary: readonly string[]
  /** Part of the names, so that nothing leads to what was stored before the pointer was dropped. */
  readonly generation: string
}

/**
 * A stored response that all edges share, if there is one for the request that was not purged since.
 *
 * @param base URL and partition
 */
export async function readSecond(
  service: CacheService,
  base: string,
  request: Headers,
): Promise<{ entry?: Entry; pointer?: Pointer }> {
  const found = await service.read(base)
  const first = found && decode(found)
  if (!found || !first || 'isGone' in first) return {}
  if (!('vary' in first)) return admit(service, toEntry(first.entry, found))
  const stored = await service.read(variantKey(base, first, request))
  const second = stored && decode(stored)
  if (!stored || !second || !('entry' in second)) return { pointer: first }
  return { ...admit(service, toEntry(second.entry, stored)), pointer: first }
}

/** Keeps a response for all edges. @param pointer as it was read */
export async function writeSecond(
  service: CacheService,
  base: string,
  entry: Entry,
  request: Headers,
  pointer: Pointer | undefined,
): Promise<void> {
  const ttl = secondsToKeep(entry)
  const stored = encode(entry)
  const names = entry.init.vary.map(([name]) => name)
  if (names.length === 0) return service.write(base, stored, ttl)
  const isSame = pointer && pointer.vary.join() === names.join()
  const next = isSame ? pointer : { vary: names, generation: crypto.randomUUID() }
  await service.write(variantKey(base, next, request), stored, ttl)
  await service.write(base, { meta: JSON.stringify(next), body: EMPTY }, MAX_SECONDS)
}

/** Puts what says that nothing is there in the place of a stored response. */
export function dropSecond(service: CacheService, base: string): Promise<void> {
  return service.write(base, { meta: JSON.stringify({ isGone: true }), body: EMPTY }, MIN_SECONDS)
}

type Decoded = Pointer | { readonly entry: Omit<EntryInit, 'body'> } | { readonly isGone: true }

/** What another version of the platform wrote can't be read, and counts as nothing. */
function decode({ meta }: StoredBytes): Decoded | undefined {
  const decoded = JSON.parse(meta) as Decoded & { readonly format?: number }
  return 'entry' in decoded && decoded.format !== FORMAT ? undefined : decoded
}

function encode(entry: Entry): StoredBytes {
  const { body, ...init } = entry.init
  const meta = JSON.stringify({ format: FORMAT, hasBody: body !== null, entry: init })
  return { meta, body: body ?? EMPTY }
}

function toEntry(init: Omit<EntryInit, 'body'>, { body, meta }: StoredBytes): Entry {
  const { hasBody } = JSON.parse(meta) as { hasBody: boolean }
  return new Entry({ ...init, body: hasBody ? body : null })
}

function admit(service: CacheService, entry: Entry): { entry?: Entry } {
  const purges = service.purgesSince(entry.init.purgeSequence)
  return purges.some(purge => isPurged(entry, purge)) ? {} : { entry }
}

function variantKey(base: string, { vary, generation }: Pointer, request: Headers): string {
  return `${base} ${generation} ${JSON.stringify(varyPairs(vary, request))}`
}

/** For as long as it is of any use; purges are remembered for a day, so no longer. */
function secondsToKeep({ init, staleAtMs, etag, lastModified }: Entry): number {
  const { staleWhileRevalidateMs, staleIfErrorMs, staleIfUnreachableMs } = init.freshness
  const staleMs = Math.max(staleWhileRevalidateMs, staleIfErrorMs, staleIfUnreachableMs)
  const validateMs = etag !== undefined || lastModified !== undefined ? VALIDATE_MS : 0
  const seconds = Math.ceil((staleAtMs - init.responseMs + Math.max(staleMs, validateMs)) / 1000)
  return Math.min(MAX_SECONDS, Math.max(MIN_SECONDS, seconds))
}

const FORMAT = 1
const EMPTY = new Uint8Array(0)
/** KV's least time to live. */
const MIN_SECONDS = 60
const MAX_SECONDS = 86_400
/** How long a stale response is kept for the sake of asking on a condition. */
const VALIDATE_MS = 3_600_000
