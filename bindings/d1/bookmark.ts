/**
 * A session's bookmark, in the form of Cloudflare's. There is one copy of a database, which any bookmark is true
 * of: so all that is asked of one is that it sorts after those before it.
 *
 * @param nowMs orders the bookmarks of different lives of the object; @param count those within one
 */
export function toBookmark(nowMs: number, count: number): string {
  const time = nowMs.toString(16).padStart(16, '0')
  return `${time.slice(0, 8)}-${time.slice(8)}-${count.toString(16).padStart(8, '0')}-${'0'.repeat(32)}`
}
