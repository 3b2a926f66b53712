import type { Attempt, InstanceError, StepInfo } from './types.ts'
import { decodeValue } from './value.ts'

/** What a step is known by in its instance. */
export interface StepKey {
  readonly type: StepInfo['type']
  readonly name: string
  readonly count: number
}

/** What is stored of a step beside its result. */
export interface StepState {
  readonly startMs: number
  readonly endMs?: number
  /** Absent while it is not over. */
  readonly success?: boolean
  /** When a wait is over at the latest; of `do`: when the next attempt begins. */
  readonly dueMs?: number
  readonly error?: InstanceError
  readonly config?: unknown
  /** Attempts begun. */
  readonly tries?: number
  readonly attempts?: readonly Attempt[]
  readonly eventType?: string
  /** Its result is shown to nobody. */
  readonly isSensitive?: boolean
}

/** The steps of one instance, on disk. */
export class Steps {
  readonly #sql: SqlStorage
  readonly #instance: number

  constructor(sql: SqlStorage, instance: number) {
    this.#sql = sql
    this.#instance = instance
  }

  find({ type, name, count }: StepKey): StepState | undefined {
    const [row] = this.#sql
      .exec<{ state: string }>(
        'SELECT state FROM steps WHERE instance = ? AND type = ? AND name = ? AND count = ?',
        ...[this.#instance, type, name, count],
      )
      .toArray()
    return row && (JSON.parse(row.state) as StepState)
  }

  /** What a step that succeeded gave. */
  output({ type, name, count }: StepKey): unknown {
    const { output } = this.#sql
      .exec<{ output: ArrayBuffer | null }>(
        'SELECT output FROM steps WHERE instance = ? AND type = ? AND name = ? AND count = ?',
        ...[this.#instance, type, name, count],
      )
      .one()
    return output === null ? undefined : decodeValue(output)
  }

  put({ type, name, count }: StepKey, state: StepState, output?: Uint8Array): void {
    this.#sql.exec(
      `INSERT INTO steps (instance, type, name, count, state, output) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (instance, type, name, count) DO UPDATE SET state = excluded.state, output = excluded.output`,
      ...([this.#instance, type, name, count, JSON.stringify(state), output ?? null] as SqlStorageValue[]),
    )
  }

  count(): number {
    return this.#sql
      .exec<{ n: number }>('SELECT count(*) AS n FROM steps WHERE instance = ?', this.#instance)
      .one().n
  }

  /** The last of them, in the order in which they were reached; large results are left out. */
  list(): StepInfo[] {
    const rows = this.#sql.exec<ShownRow>(
      `SELECT type, name, count, state, length(output) AS bytes,
         CASE WHEN length(output) <= ? THEN output END AS output
         FROM steps WHERE instance = ? ORDER BY number DESC LIMIT ?`,
      ...[SHOWN_BYTES, this.#instance, SHOWN_STEPS],
    )
    let room = SHOWN_BYTES_IN_ALL
    const steps: StepInfo[] = []
    for (const { type, name, count, state, bytes, output } of rows) {
      const { tries: _, isSensitive, ...shown } = JSON.parse(state) as StepState
      room -= bytes ?? 0
      const value = isSensitive ? '[REDACTED]' : output && room >= 0 ? decodeValue(output) : TRUNCATED
      steps.push({ type, name, count, ...shown, ...(bytes !== null && { output: value }) })
    }
    return steps.reverse()
  }

  /** Moves what is waited for, by as long as the instance was paused. */
  shift(byMs: number): void {
    const rows = this.#sql.exec<Row>('SELECT * FROM steps WHERE instance = ?', this.#instance).toArray()
    for (const { number, state: text } of rows) {
      const state = JSON.parse(text) as StepState
      if (state.success !== undefined || state.dueMs === undefined) continue
      const shifted = JSON.stringify({ ...state, dueMs: state.dueMs + byMs })
      this.#sql.exec('UPDATE steps SET state = ? WHERE number = ?', shifted, number)
    }
  }

  /** Forgets a step and those that were reached after it, or all. @returns whether there is such a step */
  forgetFrom(from: StepKey | undefined): boolean {
    if (!from) {
      this.#sql.exec('DELETE FROM steps WHERE instance = ?', this.#instance)
      return true
    }
    const [row] = this.#sql
      .exec<{ number: number }>(
        'SELECT number FROM steps WHERE instance = ? AND type = ? AND name = ? AND count = ?',
        ...[this.#instance, from.type, from.name, from.count],
      )
      .toArray()
    if (!row) return false
    this.#sql.exec('DELETE FROM steps WHERE instance = ? AND number >= ?', this.#instance, row.number)
    return true
  }
}

/** Who looks at an instance must not take the process for it. */
const SHOWN_STEPS = 2000
const SHOWN_BYTES = 16 * 1024
const SHOWN_BYTES_IN_ALL = 1024 * 1024
const TRUNCATED = '[truncated output]'

type ShownRow = Omit<Row, 'number' | 'instance'> & { bytes: number | null }

type Row = {
  number: number
  instance: number
  type: StepInfo['type']
  name: string
  count: number
  state: string
  output: ArrayBuffer | null
}
