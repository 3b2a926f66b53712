import { sha256Hex } from '../../src/core/ids.ts'
import { WeighedCache } from '../../src/core/weighed-cache.ts'

/**
 * The id of an object by its name, as `idFromName()` in facade.prelude.js makes it: the first half of the SHA-256 of
 * namespace and name, and what ties that to the namespace. A promise only for a name that wasn't asked for lately.
 */
export function toNamedId(
  namespaceId: string,
  name: string,
  jurisdiction: string | undefined,
): string | Promise<string> {
  const key = `${namespaceId}/${jurisdiction ?? ''}/${name}`
  return recent.get(key) ?? makeId(key, namespaceId, name, jurisdiction ?? '')
}

async function makeId(key: string, namespaceId: string, name: string, jurisdiction: string): Promise<string> {
  const half = await digest(`${namespaceId}/name/${jurisdiction}/${name}`)
  const id = half + (await digest(`${namespaceId}/id/${jurisdiction}/${half}`))
  recent.set(key, id, key.length + id.length)
  return id
}

async function digest(text: string): Promise<string> {
  return (await sha256Hex(text)).slice(0, 32)
}

/** Of 4 MiB: some 20,000 names. */
const recent = new WeighedCache<string>(4 * 1024 * 1024)
