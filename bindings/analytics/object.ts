import { DurableObject } from 'cloudflare:workers'
import type { StateEnv } from '../../src/env.ts'
import { type DataPoint, KEPT } from './point.ts'

/** A dataset, and how much was written to it. */
export interface DatasetRecord {
  readonly dataset: string
  /** Ever written. */
  readonly points: number
  /** Still there to be read. */
  readonly kept: number
  /** Milliseconds since the epoch. */
  readonly firstMs: number
  readonly lastMs: number
}

/**
 * One account's data points, in the state role; its name is the account's id. It keeps the newest, and counts all:
 * enough to see what functions write. For more, send points to a database of analytics with fetch().
 */
export class Analytics extends DurableObject<StateEnv> {
  readonly #sql: SqlStorage

  constructor(ctx: DurableObjectState, env: StateEnv) {
    super(ctx, env)
    this.#sql = ctx.storage.sql
    this.#sql.exec(`
      CREATE TABLE IF NOT EXISTS datasets (
        dataset TEXT PRIMARY KEY, points INTEGER NOT NULL, kept INTEGER NOT NULL, bytes INTEGER NOT NULL,
        first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL
      );
      CREATE TABLE IF NOT EXISTS points (
        dataset TEXT NOT NULL, sequence INTEGER NOT NULL, at_ms INTEGER NOT NULL, script TEXT NOT NULL,
        index1 TEXT NOT NULL, doubles TEXT NOT NULL, blobs TEXT NOT NULL, bytes INTEGER NOT NULL,
        PRIMARY KEY (dataset, sequence)
      ) WITHOUT ROWID`)
  }

  /** Writes points; those of datasets beyond `KEPT.datasets` are dropped. */
  write(points: readonly DataPoint[]): void {
    this.ctx.storage.transactionSync(() => {
      for (const [dataset, own] of Map.groupBy(points, point => point.dataset)) this.#append(dataset, own)
    })
  }

  /** By name. */
  datasets(): DatasetRecord[] {
    return this.#sql.exec<DatasetRow>('SELECT * FROM datasets ORDER BY dataset').toArray().map(toDataset)
  }

  /** A dataset and its newest points, newest first; `undefined` if nothing was ever written to it. */
  read(dataset: string, limit: number): { dataset: DatasetRecord; points: DataPoint[] } | undefined {
    const row = this.#find(dataset)
    if (!row) return undefined
    const rows = this.#sql.exec<PointRow>(
      'SELECT * FROM points WHERE dataset = ? ORDER BY sequence DESC LIMIT ?',
      dataset,
      limit,
    )
    return { dataset: toDataset(row), points: rows.toArray().map(toPoint) }
  }

  #append(dataset: string, points: readonly DataPoint[]): void {
    const before = this.#find(dataset)
    const [first] = points
    const last = points.at(-1)
    if (!first || !last || (!before && this.datasets().length >= KEPT.datasets)) return
    let sequence = before?.points ?? 0
    let bytes = 0
    for (const { atMs, script, index, doubles, blobs } of points) {
      const texts = [JSON.stringify(doubles), JSON.stringify(blobs)] as const
      const size = index.length + texts[0].length + texts[1].length
      bytes += size
      this.#sql.exec(
        'INSERT INTO points VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
        dataset,
        ++sequence,
        atMs,
        script,
        index,
        ...texts,
        size,
      )
    }
    this.#sql.exec(
      `INSERT INTO datasets VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (dataset) DO UPDATE SET points = points + excluded.points, kept = kept + excluded.kept,
         bytes = bytes + excluded.bytes, last_ms = excluded.last_ms`,
      dataset,
      points.length,
      points.length,
      bytes,
      first.atMs,
      last.atMs,
    )
    this.#trim(dataset)
  }

  /** Drops the oldest. Only when a tenth is too much, so that most writes needn't look. */
  #trim(dataset: string): void {
    const row = this.#find(dataset)
    if (!row || (row.kept <= KEPT.points * 1.1 && row.bytes <= KEPT.bytes * 1.1)) return
    let { kept, bytes } = row
    for (const { sequence, bytes: size } of this.#sql
      .exec<{ sequence: number; bytes: number }>(
        'SELECT sequence, bytes FROM points WHERE dataset = ? ORDER BY sequence',
        dataset,
      )
      .toArray()) {
      if (kept <= KEPT.points && bytes <= KEPT.bytes) break
      this.#sql.exec('DELETE FROM points WHERE dataset = ? AND sequence = ?', dataset, sequence)
      kept--
      bytes -= size
    }
    this.#sql.exec('UPDATE datasets SET kept = ?, bytes = ? WHERE dataset = ?', kept, bytes, dataset)
  }

  #find(dataset: string): DatasetRow | undefined {
    return this.#sql.exec<DatasetRow>('SELECT * FROM datasets WHERE dataset = ?', dataset).toArray()[0]
  }
}

type DatasetRow = {
  dataset: string
  points: number
  kept: number
  bytes: number
  first_ms: number
  last_ms: number
}

type PointRow = {
  dataset: string
  at_ms: number
  script: string
  index1: string
  doubles: string
  blobs: string
}

function toDataset({ dataset, points, kept, first_ms, last_ms }: DatasetRow): DatasetRecord {
  return { dataset, points, kept, firstMs: first_ms, lastMs: last_ms }
}

function toPoint({ dataset, at_ms, script, index1, doubles, blobs }: PointRow): DataPoint {
  return {
    dataset,
    script,
    atMs: at_ms,
    index: index1,
    doubles: JSON.parse(doubles),
    blobs: JSON.parse(blobs),
  }
}
