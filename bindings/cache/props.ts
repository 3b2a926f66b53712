import type { CacheProps } from './store.ts'

/** Whose caches a version's `caches` are, and how its code sees bodies, which depends on its compatibility date. */
export function cacheProps(
  owner: { readonly accountId: string; readonly script: string },
  version: { readonly compatibilityDate: string; readonly compatibilityFlags: readonly string[] },
): CacheProps {
  const flags = version.compatibilityFlags
  const byDate = version.compatibilityDate >= BROTLI_DATE && !flags.includes(`no_${BROTLI_FLAG}`)
  return { ...owner, readsBrotli: byDate || flags.includes(BROTLI_FLAG) }
}

const BROTLI_FLAG = 'brotli_content_encoding'
/** When workerd made the flag a default. */
const BROTLI_DATE = '2024-04-29'
