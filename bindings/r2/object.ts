import { DurableObject } from 'cloudflare:workers'
import { createHexId } from '../../src/core/ids.ts'
import type { StateEnv } from '../../src/env.ts'
import { migrate } from '../../src/registry/schema.ts'
import { Alarm } from '../alarm.ts'
import { blobStore } from './blobs.ts'
import { holds } from './conditions.ts'
import type { ProblemName, Refused } from './failures.ts'
import * as garbage from './garbage.ts'
import { MAX_UPLOAD_AGE_MS } from './limits.ts'
import { listObjects } from './listing.ts'
import * as notifications from './notifications.ts'
import { resolveRange } from './range.ts'
import type { Piece } from './schema.ts'
import * as rows from './schema.ts'
import { readStorageClass, type StorageClass, writeStorageClass } from './settings.ts'
import type {
  BucketStats,
  Checksums,
  Conditional,
  GetOptions,
  ListOptions,
  ObjectInfo,
  ObjectList,
  ObjectMetadata,
  ReadRange,
  UploadedPart,
} from './types.ts'
import * as uploads from './uploads.ts'

/** An object whose bytes are written. */
export interface NewObject extends ObjectMetadata {
  readonly key: string
  /** Made by the writer, another one for each write: told twice, it is done once. */
  readonly version: string
  /** `null` = there are no bytes. */
  readonly blob: string | null
  readonly size: number
  readonly etag: string
  readonly checksums: Checksums
  readonly onlyIf?: Conditional
}

/** A part whose bytes are written. */
export interface NewPart {
  readonly partNumber: number
  readonly blob: string | null
  readonly size: number
  readonly md5: string
}

/** What a reader needs to know of an object. */
export interface Found {
  readonly object: ObjectInfo
  readonly range: ReadRange
  readonly pieces: readonly Piece[]
}

/** Until what failed is tried again. */
const RETRY_MS = 5000
/** The alarm rings no sooner: what is due may be under way. */
const PAUSE_MS = 100

/**
 * An R2 bucket: which objects it has, and the blobs that hold their bytes. Called by the platform only.
 *
 * Bytes are written before the object is, under an id that was noted as pending; an object's row changes in one
 * transaction, in which the blobs it had become garbage. So a crash leaves the object as it was or as it is to be,
 * and an alarm deletes what nobody has.
 */
export class Bucket extends DurableObject<StateEnv> {
  readonly #sql: SqlStorage
  readonly #alarm: Alarm
  /** When the alarm rings; `undefined` = not at all. */
  #wakeAtMs: number | undefined
  #collecting = false
  #delivering = false

  constructor(ctx: DurableObjectState, env: StateEnv) {
    super(ctx, env)
    this.#sql = ctx.storage.sql
    this.#alarm = new Alarm(ctx.storage)
    migrate(ctx.storage, rows.BUCKET_MIGRATIONS)
    this.#arm(Date.now())
  }

  /** An object, and where a range of its bytes is. */
  find(key: string, options: GetOptions = {}): Found | Refused {
    const row = rows.findObject(this.#sql, key)
    if (!row) return this.#refuse('no-such-key')
    const object = rows.toInfo(row)
    if (options.onlyIf && !holds(options.onlyIf, object)) return { refused: 'precondition', object }
    const range = resolveRange(options, row.size)
    if (!range) return { refused: 'invalid-range' }
    return { object, range, pieces: rows.findPieces(this.#sql, row, range) }
  }

  /** One page of its objects. */
  list(options: ListOptions): ObjectList | Refused {
    return this.#isClosed() ? { refused: 'no-such-bucket' } : listObjects(this.#sql, options)
  }

  /** An id for a blob that is about to be written. */
  begin(): string | Refused {
    if (this.#isClosed()) return { refused: 'no-such-bucket' }
    const blob = createHexId()
    this.#wakeBy(garbage.addPending(this.#sql, blob, Date.now()))
    return blob
  }

  /** A blob is still being written. */
  touch(blob: string): void {
    garbage.touchPending(this.#sql, blob, Date.now())
  }

  /** A blob won't be needed. */
  giveUp(blob: string): void {
    if (garbage.takePending(this.#sql, blob)) garbage.discard(this.#sql, blob, Date.now())
    this.#tidy()
  }

  /** Writes an object whose bytes are there, if its condition holds. */
  put(added: NewObject): ObjectInfo | Refused {
    const { key, blob, onlyIf } = added
    const now = Date.now()
    const result = this.ctx.storage.transactionSync(() => {
      const previous = rows.findObject(this.#sql, key)
      if (previous?.version === added.version) return rows.toInfo(previous)
      if (blob !== null && !garbage.takePending(this.#sql, blob)) return this.#refuse('internal')
      const refused = this.#isClosed() || (onlyIf && !holds(onlyIf, previous && rows.toInfo(previous)))
      if (refused) {
        if (blob !== null) garbage.discard(this.#sql, blob, now)
        return this.#refuse('precondition')
      }
      return this.#replace(previous, this.#toRow(added, now), 'PutObject')
    })
    this.#tidy()
    return result
  }

  /** Deletes objects; it is no error if one doesn't exist. */
  delete(keys: readonly string[]): Refused | undefined {
    if (this.#isClosed()) return { refused: 'no-such-bucket' }
    const now = Date.now()
    this.ctx.storage.transactionSync(() => {
      for (const key of keys) {
        const row = rows.findObject(this.#sql, key)
        if (!row) continue
        garbage.discardBytes(this.#sql, row, now)
        rows.deleteObject(this.#sql, row)
        notifications.noteChange(this.#sql, {
          action: 'DeleteObject',
          key,
          size: row.size,
          eTag: row.etag,
          nowMs: now,
        })
      }
    })
    this.#tidy()
    return undefined
  }

  /** Begins an upload in parts. @returns its id */
  createUpload(
    key: string,
    { httpMetadata = {}, customMetadata = {}, storageClass = this.storageClass() }: ObjectMetadata,
  ): string | Refused {
    if (this.#isClosed()) return { refused: 'no-such-bucket' }
    const id = createHexId() + createHexId()
    const now = Date.now()
    const [http, custom] = [JSON.stringify(httpMetadata), JSON.stringify(customMetadata)]
    this.#sql.exec(
      'INSERT INTO uploads VALUES (?, ?, ?, ?, ?, ?, 0)',
      id,
      key,
      http,
      custom,
      storageClass,
      now,
    )
    this.#wakeBy(now + MAX_UPLOAD_AGE_MS)
    return id
  }

  /** Adds a part whose bytes are there, in the place of one that had its number. */
  putPart(key: string, uploadId: string, { partNumber, size, md5, blob }: NewPart): Refused | undefined {
    const now = Date.now()
    const result = this.ctx.storage.transactionSync((): Refused | undefined => {
      const upload = uploads.findUpload(this.#sql, key, uploadId)
      const find = 'SELECT number, size, md5, blob FROM parts WHERE upload = ? AND number = ?'
      const previous = this.#sql.exec<rows.PartRow>(find, uploadId, partNumber).toArray()[0]
      if (previous && blob !== null && previous.blob === blob) return undefined
      if (blob !== null && !garbage.takePending(this.#sql, blob)) return { refused: 'internal' }
      if (!upload || upload.has_ended) {
        if (blob !== null) garbage.discard(this.#sql, blob, now)
        return { refused: 'no-such-upload' }
      }
      if (previous?.blob) garbage.discard(this.#sql, previous.blob, now)
      const insert = 'INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?, ?)'
      this.#sql.exec(insert, uploadId, partNumber, size, md5, blob)
      return undefined
    })
    this.#tidy()
    return result
  }

  /** Makes an object of parts; `version` as in `NewObject`. */
  async complete(
    key: string,
    uploadId: string,
    wanted: readonly UploadedPart[],
    version: string,
  ): Promise<ObjectInfo | Refused> {
    const done = rows.findObject(this.#sql, key)
    if (done?.version === version) return rows.toInfo(done)
    const parts = this.#chooseParts(key, uploadId, wanted)
    if (typeof parts === 'string') return { refused: parts }
    const etag = await uploads.etagOf(parts)

    const now = Date.now()
    const result = this.ctx.storage.transactionSync((): ObjectInfo | Refused => {
      // While the etag was computed, parts may have been written anew.
      const again = this.#chooseParts(key, uploadId, wanted)
      const upload = uploads.findUpload(this.#sql, key, uploadId)
      if (typeof again === 'string' || !upload)
        return { refused: typeof again === 'string' ? again : 'internal' }
      const { http, custom, storage_class } = upload
      const size = uploads.sizeOf(again)
      const row = {
        key,
        version,
        size,
        etag,
        uploaded_ms: now,
        checksums: '{}',
        http,
        custom,
        storage_class,
        blob: null,
      }
      uploads.endUpload(this.#sql, uploadId, again, version, now)
      return this.#replace(rows.findObject(this.#sql, key), row, 'CompleteMultipartUpload')
    })
    this.#tidy()
    return result
  }

  /** Throws an upload in parts away. */
  abortUpload(key: string, uploadId: string): Refused | undefined {
    const upload = uploads.findUpload(this.#sql, key, uploadId)
    if (!upload) return this.#refuse('internal')
    if (!upload.has_ended) uploads.endUpload(this.#sql, uploadId, [], '', Date.now())
    this.#tidy()
    return undefined
  }

  stats(): BucketStats {
    const { objects, bytes } = rows.readTotals(this.#sql)
    const count = 'SELECT count(*) AS n FROM uploads WHERE has_ended = 0'
    return { objects, bytes, uploads: this.#sql.exec<{ n: number }>(count).one().n }
  }

  /** Closes the bucket for ever if it has no objects; uploads in parts are thrown away. @returns whether it is closed */
  closeIfEmpty(): boolean {
    const now = Date.now()
    const isClosed = this.ctx.storage.transactionSync(() => {
      if (rows.readTotals(this.#sql).objects > 0) return false
      const open = this.#sql.exec<{ id: string }>('SELECT id FROM uploads WHERE has_ended = 0').toArray()
      for (const { id } of open) uploads.endUpload(this.#sql, id, [], '', now)
      this.#sql.exec('UPDATE totals SET is_closed = 1')
      return true
    })
    this.#tidy()
    return isClosed
  }

  /** The storage class of objects that name none. */
  storageClass(): StorageClass {
    return readStorageClass(this.#sql)
  }

  /** Sets it for objects written from now on. */
  setStorageClass(storageClass: StorageClass): void {
    this.ctx.storage.transactionSync(() => writeStorageClass(this.#sql, storageClass))
  }

  /** The bucket's notification rules. */
  listNotificationRules(): notifications.NotificationRule[] {
    return notifications.listNotificationRules(this.#sql)
  }

  /** Adds rules of one queue. @throws as `addNotificationRules` */
  addNotificationRules(added: notifications.NewNotificationRules): void {
    this.ctx.storage.transactionSync(() => notifications.addNotificationRules(this.#sql, added, Date.now()))
  }

  /** Removes rules of a queue. @throws as `removeNotificationRules` */
  removeNotificationRules(queueId: string, ruleIds?: readonly string[]): void {
    this.ctx.storage.transactionSync(() => notifications.removeNotificationRules(this.#sql, queueId, ruleIds))
  }

  /** Throws away what writers and uploads left that aren't heard of any more, and does what couldn't be done. */
  override alarm(): void {
    const now = Date.now()
    this.#wakeAtMs = undefined
    this.ctx.storage.transactionSync(() => {
      garbage.discardSilent(this.#sql, now)
      const tooOld = now - MAX_UPLOAD_AGE_MS
      const old = this.#sql
        .exec<{ id: string }>('SELECT id FROM uploads WHERE created_ms <= ?', tooOld)
        .toArray()
      for (const { id } of old) uploads.endUpload(this.#sql, id, [], '', now)
      this.#sql.exec('DELETE FROM uploads WHERE created_ms <= ?', tooOld)
    })
    this.#tidy()
    this.#arm(now)
  }

  #isClosed(): boolean {
    return rows.readTotals(this.#sql).is_closed === 1
  }

  /** A bucket that was deleted has another reason. */
  #refuse(reason: ProblemName): Refused {
    return { refused: this.#isClosed() ? 'no-such-bucket' : reason }
  }

  #chooseParts(key: string, uploadId: string, wanted: readonly UploadedPart[]): rows.PartRow[] | ProblemName {
    const upload = uploads.findUpload(this.#sql, key, uploadId)
    if (!upload) return this.#refuse('internal').refused
    return upload.has_ended ? 'no-such-upload' : uploads.chooseParts(this.#sql, uploadId, wanted)
  }

  #replace(
    previous: rows.ObjectRow | undefined,
    row: rows.ObjectRow,
    action: 'PutObject' | 'CompleteMultipartUpload',
  ): ObjectInfo {
    const { key, size, etag, uploaded_ms: nowMs } = row
    if (previous) garbage.discardBytes(this.#sql, previous, nowMs)
    rows.putObject(this.#sql, row, previous)
    notifications.noteChange(this.#sql, { action, key, size, eTag: etag, nowMs })
    return rows.toInfo(row)
  }

  /** Begins what needn't be waited for. */
  #tidy(): void {
    this.ctx.waitUntil(this.#collect())
    this.ctx.waitUntil(this.#deliver())
  }

  async #collect(): Promise<void> {
    if (this.#collecting) return
    this.#collecting = true
    try {
      await garbage.collect(this.#sql, blobStore(this.env.BLOBS))
      const next = garbage.nextDue(this.#sql)
      if (next !== undefined) this.#wakeBy(next)
    } catch (error) {
      console.error('r2: blobs could not be deleted and will be tried again:', error)
      this.#wakeBy(Date.now() + RETRY_MS)
    } finally {
      this.#collecting = false
    }
  }

  async #deliver(): Promise<void> {
    if (this.#delivering || !notifications.hasNotifications(this.#sql)) return
    this.#delivering = true
    // Should this process end meanwhile.
    this.#wakeBy(Date.now() + RETRY_MS)
    try {
      while (notifications.hasNotifications(this.#sql)) {
        await notifications.deliverNotifications(this.#sql, this.env)
      }
    } catch (error) {
      console.error('r2: notifications could not be delivered and will be tried again:', error)
      this.#wakeBy(Date.now() + RETRY_MS)
    } finally {
      this.#delivering = false
    }
  }

  /** Sets the alarm for what is owed: at the start of the object, and after each alarm. */
  #arm(now: number): void {
    const oldest = 'SELECT min(created_ms) AS at FROM uploads'
    const upload = this.#sql.exec<{ at: number | null }>(oldest).one().at
    const sweep = garbage.nextSweep(this.#sql)
    if (upload !== null) this.#wakeBy(upload + MAX_UPLOAD_AGE_MS)
    if (sweep !== undefined) this.#wakeBy(sweep)
    if (notifications.hasNotifications(this.#sql)) this.#wakeBy(now)
  }

  #wakeBy(atMs: number): void {
    const at = Math.max(atMs, Date.now() + PAUSE_MS)
    if (this.#wakeAtMs !== undefined && this.#wakeAtMs <= at) return
    this.#wakeAtMs = at
    this.#alarm.set(at)
  }

  #toRow(added: NewObject, nowMs: number): rows.ObjectRow {
    const { key, version, blob, size, etag, checksums, storageClass = this.storageClass() } = added
    return {
      key,
      version,
      size,
      etag,
      uploaded_ms: nowMs,
      checksums: JSON.stringify(checksums),
      http: JSON.stringify(added.httpMetadata ?? {}),
      custom: JSON.stringify(added.customMetadata ?? {}),
      storage_class: storageClass,
      blob,
    }
  }
}
