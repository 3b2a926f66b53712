import type { Outcome } from '../../src/core/outcome.ts'
import type { Migration } from '../../src/registry/schema.ts'

/** The rows of `CronClock`; times are milliseconds since the epoch. `README.md` lists the columns. */
export const CRON_MIGRATIONS: readonly Migration[] = [
  `CREATE TABLE schedules (
     script TEXT NOT NULL, cron TEXT NOT NULL, position INTEGER NOT NULL,
     created_ms INTEGER NOT NULL, next_ms INTEGER,
     last_scheduled_ms INTEGER, last_ended_ms INTEGER, last_outcome TEXT, last_error TEXT, last_attempts INTEGER,
     skipped_since_ms INTEGER, skipped_until_ms INTEGER,
     PRIMARY KEY (script, cron)
   ) WITHOUT ROWID;
   CREATE INDEX schedules_next ON schedules (next_ms);
   CREATE TABLE runs (
     id INTEGER PRIMARY KEY AUTOINCREMENT, script TEXT NOT NULL, cron TEXT NOT NULL,
     scheduled_ms INTEGER NOT NULL, not_before_ms INTEGER NOT NULL,
     failures INTEGER NOT NULL DEFAULT 0, lost INTEGER NOT NULL DEFAULT 0
   );
   CREATE INDEX runs_not_before ON runs (not_before_ms);
   CREATE INDEX runs_of ON runs (script, cron)`,
]

/** A cron of a script. */
export interface ScheduleRow {
  readonly script: string
  /** As its owner wrote it. */
  readonly cron: string
  readonly created_ms: number
  /** `null` if it never matches again. */
  readonly next_ms: number | null
  readonly last_scheduled_ms: number | null
  readonly last_ended_ms: number | null
  readonly last_outcome: Outcome | 'lost' | null
  readonly last_error: string | null
  readonly last_attempts: number | null
  readonly skipped_since_ms: number | null
  readonly skipped_until_ms: number | null
}

/** A tick that is owed: its row goes when its outcome is known. */
export interface RunRow {
  readonly id: number
  readonly script: string
  readonly cron: string
  readonly scheduled_ms: number
  readonly not_before_ms: number
  readonly failures: number
  readonly lost: number
}

/** All, or a script's, in the order their owner gave. */
export function listSchedules(sql: SqlStorage, script?: string): ScheduleRow[] {
  const where = script === undefined ? '' : 'WHERE script = ?'
  const bindings = script === undefined ? [] : [script]
  return rows(sql.exec(`SELECT * FROM schedules ${where} ORDER BY script, position`, ...bindings))
}

export function listDue(sql: SqlStorage, now: number): ScheduleRow[] {
  return rows(sql.exec('SELECT * FROM schedules WHERE next_ms <= ? ORDER BY next_ms', now))
}

/** Adds a schedule, or moves it to `position` and leaves the rest of it as it is. */
export function putSchedule(
  sql: SqlStorage,
  schedule: Pick<ScheduleRow, 'script' | 'cron' | 'created_ms' | 'next_ms'>,
  position: number,
): void {
  sql.exec(
    `INSERT INTO schedules (script, cron, position, created_ms, next_ms) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (script, cron) DO UPDATE SET position = excluded.position`,
    schedule.script,
    schedule.cron,
    position,
    schedule.created_ms,
    schedule.next_ms,
  )
}

export function setNext(sql: SqlStorage, { script, cron }: ScheduleRow, next: number | null): void {
  sql.exec('UPDATE schedules SET next_ms = ? WHERE script = ? AND cron = ?', next, script, cron)
}

export function setSkipped(
  sql: SqlStorage,
  { script, cron }: ScheduleRow,
  skipped: { readonly since: number; readonly until: number },
): void {
  sql.exec(
    'UPDATE schedules SET skipped_since_ms = ?, skipped_until_ms = ? WHERE script = ? AND cron = ?',
    skipped.since,
    skipped.until,
    script,
    cron,
  )
}

/** Keeps how a tick ended; of two that overlap, the later tick's. */
export function setLast(
  sql: SqlStorage,
  run: RunRow,
  last: { readonly endedMs: number; readonly outcome: Outcome | 'lost'; readonly error: string | undefined },
): void {
  sql.exec(
    `UPDATE schedules SET last_scheduled_ms = ?1, last_ended_ms = ?2, last_outcome = ?3, last_error = ?4,
       last_attempts = ?5
     WHERE script = ?6 AND cron = ?7 AND coalesce(last_scheduled_ms, 0) <= ?1`,
    run.scheduled_ms,
    last.endedMs,
    last.outcome,
    last.error ?? null,
    run.failures + run.lost + 1,
    run.script,
    run.cron,
  )
}

/** Removes a schedule and what is owed for it. */
export function removeSchedule(sql: SqlStorage, script: string, cron: string): void {
  sql.exec('DELETE FROM schedules WHERE script = ? AND cron = ?', script, cron)
  sql.exec('DELETE FROM runs WHERE script = ? AND cron = ?', script, cron)
}

/** The same, unless it was made after `tick`: then the tick was an earlier schedule's of the same name. */
export function removeScheduleOf(sql: SqlStorage, run: RunRow): void {
  const { script, cron, scheduled_ms } = run
  const newer = 'SELECT 1 FROM schedules WHERE script = ? AND cron = ? AND created_ms >= ?'
  if (sql.exec(newer, script, cron, scheduled_ms).toArray().length === 0) removeSchedule(sql, script, cron)
  else deleteRun(sql, run.id)
}

export function addRun(sql: SqlStorage, { script, cron }: ScheduleRow, scheduled: number): void {
  sql.exec(
    'INSERT INTO runs (script, cron, scheduled_ms, not_before_ms) VALUES (?1, ?2, ?3, ?3)',
    script,
    cron,
    scheduled,
  )
}

/** Every run whose outcome isn't known, in the order they are to start. */
export function listRuns(sql: SqlStorage): RunRow[] {
  return rows(sql.exec('SELECT * FROM runs ORDER BY not_before_ms, id'))
}

export function hasRun(sql: SqlStorage, id: number): boolean {
  return sql.exec('SELECT 1 FROM runs WHERE id = ?', id).toArray().length > 0
}

export function postponeRun(sql: SqlStorage, run: RunRow): void {
  sql.exec(
    'UPDATE runs SET not_before_ms = ?, failures = ?, lost = ? WHERE id = ?',
    run.not_before_ms,
    run.failures,
    run.lost,
    run.id,
  )
}

export function deleteRun(sql: SqlStorage, id: number): void {
  sql.exec('DELETE FROM runs WHERE id = ?', id)
}

/** The earliest next tick of all. */
export function firstTick(sql: SqlStorage): number | null {
  return sql.exec<{ at: number | null }>('SELECT min(next_ms) AS at FROM schedules').one().at
}

function rows<T>(cursor: SqlStorageCursor<Record<string, SqlStorageValue>>): T[] {
  return cursor.toArray() as T[]
}
