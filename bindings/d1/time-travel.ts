/** A point in a database's history, and the one before a restore. */
export interface TimeTravel {
  readonly bookmark: string
  readonly previous_bookmark?: string
}

/**
 * The bookmark of a time, or of now.
 *
 * @param timestamp ISO 8601
 * @throws Error where the host keeps no history, or for a time that it has none of
 */
export async function findBookmark(
  storage: DurableObjectStorage,
  timestamp: string | null,
): Promise<TimeTravel> {
  await requireHistory(storage)
  if (!timestamp) return { bookmark: await storage.getCurrentBookmark() }
  return { bookmark: await storage.getBookmarkForTime(toMs(timestamp)) }
}

/** Takes the database back to a bookmark or a time. @throws Error as `findBookmark` */
export async function restoreBookmark(
  ctx: DurableObjectState,
  bookmark: string | null,
  timestamp: string | null,
): Promise<TimeTravel> {
  const { storage } = ctx
  await requireHistory(storage)
  if (!bookmark && !timestamp) throw new Error('Name a bookmark or a timestamp.')
  const target = bookmark || (await storage.getBookmarkForTime(toMs(timestamp ?? '')))
  const previous = await storage.getCurrentBookmark()
  await storage.onNextSessionRestoreBookmark(target)
  // The answer leaves before the object ends, and is restored when it starts again.
  ctx.waitUntil(scheduler.wait(50).then(() => ctx.abort('restored to a bookmark')))
  return { bookmark: target, previous_bookmark: previous }
}

/** A host without history has bookmarks, but none for times. */
async function requireHistory(storage: DurableObjectStorage): Promise<void> {
  try {
    await storage.getBookmarkForTime(Date.now())
  } catch (cause) {
    if (!String(cause).includes('point-in-time recovery')) return
    throw new Error(
      'Time Travel is not available on this host: it keeps no history of databases. Export them with `wrangler d1 export`, and execute that file on a new database to restore.',
      { cause },
    )
  }
}

function toMs(timestamp: string): number {
  const ms = Date.parse(timestamp)
  if (Number.isNaN(ms)) throw new Error(`The timestamp "${timestamp}" is not in ISO 8601.`)
  return ms
}
