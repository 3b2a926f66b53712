/** Keys deleted at once: enough to keep the store busy, few enough to leave it to others too. */
const PARALLEL_DELETES = 50
/** Pages of 1,000 keys per call: an end to every call, whoever keeps writing. */
const MAX_PAGES = 1000

/**
 * Deletes all values under a namespace's prefix, as far as one call goes: up to a million.
 *
 * What may be left is out of reach, because a prefix is never given again. @returns how many were deleted
 */
export async function purgeValues(store: KVNamespace, prefix: string): Promise<number> {
  let deleted = 0
  let cursor: string | undefined
  for (let pages = 0; pages < MAX_PAGES; pages++) {
    const page: KVNamespaceListResult<unknown> = await store.list({ prefix, ...(cursor && { cursor }) })
    const { keys } = page
    for (let start = 0; start < keys.length; start += PARALLEL_DELETES) {
      const chunk = keys.slice(start, start + PARALLEL_DELETES)
      await Promise.all(chunk.map(({ name }) => store.delete(name)))
    }
    deleted += keys.length
    if (page.list_complete) break
    cursor = page.cursor
  }
  return deleted
}
