import { sha256Hex } from '../../src/core/ids.ts'
import type { EdgeEnv } from '../../src/env.ts'
import { storeOf } from '../kv/store.ts'
import { type Entry, unpack } from './entry.ts'

interface Owner {
  readonly accountId: string
  readonly script: string
}

/** Whose cache it is. Set by the platform only. */
export interface CacheProps extends Owner {
  /** The function reads bodies in Brotli in plain, and writes them so; before, as they are sent. */
  readonly readsBrotli: boolean
}

/** A response's place: a cache of the function, '' for the default one, and a URL in it. */
export interface CacheKey {
  readonly name: string
  readonly url: string
}

/** What the store tells of an entry in its lists. */
export interface EntryMetadata {
  /** Of the whole value; of a stream, the most that it can have. */
  readonly bytes: number
  readonly storedAtMs: number
}

/** Functions' KV namespaces have prefixes of digits, and the gateway's cache another one. */
const PREFIX = '~caches:'

/** What the store's keys of all of an account's entries begin with. */
export function accountPrefix(accountId: string): string {
  return `${PREFIX}${accountId}/`
}

/** The store's key of an entry: URLs and names are longer than its keys can be. */
export async function storeKey({ accountId, script }: Owner, { name, url }: CacheKey): Promise<string> {
  return `${accountPrefix(accountId)}${script}/${await sha256Hex(JSON.stringify([name, url]))}`
}

/** The entry under a key, unless it is stale. */
export async function readEntry(env: EdgeEnv, key: string, nowMs: number): Promise<Entry | undefined> {
  const stored = await storeOf(env).get(key, { type: 'stream' })
  const entry = stored ? await unpack(stored as ReadableStream<Uint8Array>) : undefined
  if (!entry || nowMs < entry.head.staleAtMs) return entry
  await entry.body.rest?.cancel()
  return undefined
}

/** Writes a value, whole or not at all. */
export async function writeEntry(
  env: EdgeEnv,
  key: string,
  value: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>,
  metadata: EntryMetadata,
  ttlSeconds: number,
): Promise<void> {
  const expirationTtl = Math.max(MIN_TTL_SECONDS, ttlSeconds)
  await storeOf(env).put(key, value, { expirationTtl, metadata })
}

/** Deletes an entry. @returns whether there was one that isn't stale */
export async function deleteEntry(env: EdgeEnv, key: string, nowMs: number): Promise<boolean> {
  const entry = await readEntry(env, key, nowMs)
  if (!entry) return false
  await entry.body.rest?.cancel()
  await storeOf(env).delete(key)
  return true
}

/** The store keeps nothing for less. */
const MIN_TTL_SECONDS = 60
