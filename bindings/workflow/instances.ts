import type {
  CronSchedule,
  InstanceError,
  InstancePage,
  InstanceQuery,
  InstanceStatus,
  InstanceSummary,
  Trigger,
} from './types.ts'
import { decodeValue } from './value.ts'

/** An instance as it is stored, its payload and result aside. */
export interface Instance {
  /** In the order in which they were made; never used twice. */
  readonly seq: number
  readonly id: string
  readonly status: InstanceStatus
  readonly source: Trigger
  /** Of the workflow, when the instance was made. */
  readonly version: string
  readonly error: InstanceError | null
  /** What made it, if a schedule did. */
  readonly schedule: CronSchedule | null
  readonly createdMs: number
  readonly modifiedMs: number
  readonly startedMs: number | null
  readonly endedMs: number | null
  /** When a rest is over at the latest; `null` = it doesn't rest. */
  readonly wakeMs: number | null
  /** The types of events that end it before. */
  readonly wakeTypes: readonly string[]
  readonly pausedMs: number | null
  /** How long it is kept once it has ended, in milliseconds. */
  readonly successMs: number
  readonly errorMs: number
}

/** A new one. */
export type InstanceInit = Pick<
  Instance,
  'id' | 'source' | 'version' | 'schedule' | 'createdMs' | 'successMs' | 'errorMs'
> & { readonly params: Uint8Array }

/** What of an instance changes; what isn't named stays. */
export type InstanceChange = Partial<
  Pick<Instance, 'status' | 'error' | 'startedMs' | 'wakeMs' | 'wakeTypes' | 'pausedMs'>
> & { readonly output?: Uint8Array | null }

/** The instances of a workflow, on disk. */
export class Instances {
  readonly #sql: SqlStorage

  constructor(sql: SqlStorage) {
    this.#sql = sql
  }

  /** Its id must be free. */
  insert(init: InstanceInit): Instance {
    const { id, source, version, params, schedule, createdMs, successMs, errorMs } = init
    const [row] = this.#rows(
      `INSERT INTO instances (id, status, source, version, params, schedule, created_ms, modified_ms, success_ms, error_ms)
       VALUES (?, 'queued', ?, ?, ?, ?, ?, ?, ?, ?) RETURNING ${COLUMNS}`,
      ...[
        id,
        source,
        version,
        params,
        schedule && JSON.stringify(schedule),
        createdMs,
        createdMs,
        successMs,
        errorMs,
      ],
    )
    return toInstance(row as Row)
  }

  find(id: string): Instance | undefined {
    return this.#rows(`SELECT ${COLUMNS} FROM instances WHERE id = ?`, id).map(toInstance)[0]
  }

  bySeq(seq: number): Instance | undefined {
    return this.#rows(`SELECT ${COLUMNS} FROM instances WHERE seq = ?`, seq).map(toInstance)[0]
  }

  params(seq: number): unknown {
    return this.#value('params', seq)
  }

  /** `undefined` for one that has none. */
  output(seq: number): unknown {
    return this.#value('output', seq)
  }

  /** An instance that ends is kept for as long as it says, from now on. */
  change(seq: number, change: InstanceChange, nowMs: number): void {
    const values: Record<string, SqlStorageValue> = { modified_ms: nowMs }
    const { status, error, startedMs, wakeMs, wakeTypes, pausedMs, output } = change
    if (status !== undefined) values.status = status
    if (error !== undefined) values.error = error && JSON.stringify(error)
    if (startedMs !== undefined) values.started_ms = startedMs
    if (wakeMs !== undefined) values.wake_ms = wakeMs
    if (wakeTypes !== undefined) values.wake_types = JSON.stringify(wakeTypes)
    if (pausedMs !== undefined) values.paused_ms = pausedMs
    if (output !== undefined) values.output = output as Uint8Array<ArrayBuffer> | null as SqlStorageValue
    const names = Object.keys(values).map(name => `${name} = ?`)
    if (status !== undefined) names.push(endColumns(status, nowMs))
    this.#sql.exec(`UPDATE instances SET ${names.join(', ')} WHERE seq = ?`, ...Object.values(values), seq)
  }

  /** Those that belong in memory, oldest first. */
  due(limit: number): Instance[] {
    return this.#rows(
      `SELECT ${COLUMNS} FROM instances WHERE status IN (${LIVE}) AND wake_ms IS NULL ORDER BY seq LIMIT ?`,
      limit,
    ).map(toInstance)
  }

  /** After a start of the process nothing is in memory: what was is queued, and what was to pause has. */
  recover(nowMs: number): void {
    this.#sql.exec(
      "UPDATE instances SET status = 'paused', paused_ms = ? WHERE status = 'waitingForPause'",
      nowMs,
    )
    this.#sql.exec(
      "UPDATE instances SET status = 'queued' WHERE status IN ('running', 'waiting') AND wake_ms IS NULL",
    )
  }

  /** Ends the rests that are over. */
  wake(nowMs: number): void {
    this.#sql.exec(
      `UPDATE instances SET wake_ms = NULL, status = 'queued' WHERE wake_ms <= ? AND status IN (${LIVE})`,
      nowMs,
    )
  }

  /** When the first rest is over. */
  nextWake(): number | null {
    return this.#sql
      .exec<{ at: number | null }>(`SELECT min(wake_ms) AS at FROM instances WHERE status IN (${LIVE})`)
      .one().at
  }

  /** Those whose time is over, at most 100. */
  expired(nowMs: number): number[] {
    return this.#sql
      .exec<{ seq: number }>('SELECT seq FROM instances WHERE expires_ms <= ? LIMIT 100', nowMs)
      .toArray()
      .map(({ seq }) => seq)
  }

  nextExpiry(): number | null {
    return this.#sql.exec<{ at: number | null }>('SELECT min(expires_ms) AS at FROM instances').one().at
  }

  /** With its steps and events. */
  delete(seq: number): void {
    this.#sql.exec('DELETE FROM steps WHERE instance = ?', seq)
    this.#sql.exec('DELETE FROM events WHERE instance = ?', seq)
    this.#sql.exec('DELETE FROM instances WHERE seq = ?', seq)
  }

  /** As if it had just been made, its steps and events aside. */
  reset(seq: number, nowMs: number): void {
    this.#sql.exec(
      `UPDATE instances SET status = 'queued', output = NULL, error = NULL, started_ms = NULL, ended_ms = NULL,
       expires_ms = NULL, wake_ms = NULL, wake_types = NULL, paused_ms = NULL, modified_ms = ? WHERE seq = ?`,
      nowMs,
      seq,
    )
  }

  /** How many there are of each status. */
  counts(): Partial<Record<InstanceStatus, number>> {
    const rows = this.#sql
      .exec<{ status: InstanceStatus; n: number }>(
        'SELECT status, count(*) AS n FROM instances GROUP BY status',
      )
      .toArray()
    return Object.fromEntries(rows.map(({ status, n }) => [status, n]))
  }

  list({ status, fromMs, untilMs, cursor, limit, order }: InstanceQuery): InstancePage {
    const wanted = [
      ['status = ?', status],
      ['created_ms >= ?', fromMs],
      ['created_ms <= ?', untilMs],
    ].filter((filter): filter is [string, string | number] => filter[1] !== undefined)
    const past = order === 'asc' ? 'seq > ?' : 'seq < ?'
    const paged = cursor === undefined ? wanted : [...wanted, [past, Number(cursor)] as [string, number]]
    const total = this.#sql
      .exec<{ n: number }>(
        `SELECT count(*) AS n FROM instances ${where(wanted)}`,
        ...wanted.map(([, v]) => v),
      )
      .one().n
    const rows = this.#rows(
      `SELECT ${COLUMNS} FROM instances ${where(paged)} ORDER BY seq ${order === 'asc' ? 'ASC' : 'DESC'} LIMIT ?`,
      ...paged.map(([, value]) => value),
      limit + 1,
    ).map(toInstance)
    const page = rows.slice(0, limit)
    const last = page.at(-1)
    return {
      instances: page.map(toSummary),
      total,
      ...(rows.length > limit && last && { cursor: String(last.seq) }),
    }
  }

  // Events that were sent and are not taken yet.

  addEvent(seq: number, type: string, payload: Uint8Array, nowMs: number): void {
    this.#sql.exec(
      'INSERT INTO events (instance, type, payload, sent_ms) VALUES (?, ?, ?, ?)',
      ...[seq, type, payload as Uint8Array<ArrayBuffer> as unknown as SqlStorageValue, nowMs],
    )
  }

  /** The oldest of a type, which is gone with that. */
  takeEvent(seq: number, type: string): { type: string; payload: unknown; timestamp: Date } | undefined {
    const [row] = this.#sql
      .exec<{ number: number; payload: ArrayBuffer; sent_ms: number }>(
        'SELECT number, payload, sent_ms FROM events WHERE instance = ? AND type = ? ORDER BY number LIMIT 1',
        seq,
        type,
      )
      .toArray()
    if (!row) return undefined
    this.#sql.exec('DELETE FROM events WHERE number = ?', row.number)
    return { type, payload: decodeValue(row.payload), timestamp: new Date(row.sent_ms) }
  }

  /** Whether an event of one of the types waits. */
  hasEvent(seq: number, types: readonly string[]): boolean {
    const marks = types.map(() => '?').join(', ')
    const query = `SELECT 1 FROM events WHERE instance = ? AND type IN (${marks}) LIMIT 1`
    return this.#sql.exec(query, seq, ...types).toArray().length > 0
  }

  clearEvents(seq: number): void {
    this.#sql.exec('DELETE FROM events WHERE instance = ?', seq)
  }

  #value(column: 'params' | 'output', seq: number): unknown {
    const [row] = this.#sql
      .exec<{ value: ArrayBuffer | null }>(`SELECT ${column} AS value FROM instances WHERE seq = ?`, seq)
      .toArray()
    return row?.value ? decodeValue(row.value) : undefined
  }

  #rows(query: string, ...values: unknown[]): Row[] {
    return this.#sql.exec<Row>(query, ...(values as SqlStorageValue[])).toArray()
  }
}

/** Whether an instance goes on no more. */
export function hasEnded(status: InstanceStatus): boolean {
  return status === 'complete' || status === 'errored' || status === 'terminated'
}

/** An instance as lists have it. */
export function toSummary(instance: Instance): InstanceSummary {
  const {
    id,
    status,
    source: trigger,
    version: versionId,
    createdMs,
    modifiedMs,
    startedMs,
    endedMs,
  } = instance
  return {
    id,
    status,
    trigger,
    versionId,
    createdMs,
    modifiedMs,
    ...(startedMs !== null && { startedMs }),
    ...(endedMs !== null && { endedMs }),
  }
}

const LIVE = "'queued', 'running', 'waiting', 'waitingForPause'"
const COLUMNS = `seq, id, status, source, version, error, schedule, created_ms, modified_ms, started_ms, ended_ms, wake_ms,
  wake_types, paused_ms, success_ms, error_ms`

type Row = {
  seq: number
  id: string
  status: InstanceStatus
  source: Trigger
  version: string
  error: string | null
  schedule: string | null
  created_ms: number
  modified_ms: number
  started_ms: number | null
  ended_ms: number | null
  wake_ms: number | null
  wake_types: string | null
  paused_ms: number | null
  success_ms: number
  error_ms: number
}

function toInstance(row: Row): Instance {
  return {
    seq: row.seq,
    id: row.id,
    status: row.status,
    source: row.source,
    version: row.version,
    error: row.error === null ? null : (JSON.parse(row.error) as InstanceError),
    schedule: row.schedule === null ? null : (JSON.parse(row.schedule) as CronSchedule),
    createdMs: row.created_ms,
    modifiedMs: row.modified_ms,
    startedMs: row.started_ms,
    endedMs: row.ended_ms,
    wakeMs: row.wake_ms,
    wakeTypes: row.wake_types === null ? [] : (JSON.parse(row.wake_types) as string[]),
    pausedMs: row.paused_ms,
    successMs: row.success_ms,
    errorMs: row.error_ms,
  }
}

function where(filters: readonly (readonly [string, unknown])[]): string {
  return filters.length > 0 ? `WHERE ${filters.map(([condition]) => condition).join(' AND ')}` : ''
}

function endColumns(status: InstanceStatus, nowMs: number): string {
  if (!hasEnded(status)) return 'ended_ms = NULL, expires_ms = NULL'
  const kept = status === 'errored' ? 'error_ms' : 'success_ms'
  return `ended_ms = ${nowMs}, expires_ms = ${nowMs} + ${kept}, wake_ms = NULL`
}
