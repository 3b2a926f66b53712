import { nextRun, parseCron } from '../cron/expression.ts'
import { refusal } from './failures.ts'
import { WORKFLOW_LIMITS } from './limits.ts'
import type { Retention, WorkflowSettings, WorkflowVersion } from './types.ts'

/** What a workflow is, on disk. */
export class WorkflowConfig {
  readonly #sql: SqlStorage
  #stored: Stored | undefined

  constructor(sql: SqlStorage) {
    this.#sql = sql
    const [row] = sql.exec<{ value: string }>("SELECT value FROM meta WHERE key = 'config'").toArray()
    this.#stored = row && (JSON.parse(row.value) as Stored)
  }

  /** `undefined` until it is configured. */
  get current(): Stored | undefined {
    return this.#stored
  }

  /** @throws (workflow.not_found) before it is configured, and once it was removed */
  require(): Stored {
    if (this.#stored) return this.#stored
    throw refusal('workflow.not_found', 'Workflow does not exist')
  }

  /** Each time is a version of its own. */
  configure(name: string, settings: WorkflowSettings, nowMs: number): void {
    const before = this.#stored?.nextMs ?? {}
    const nextMs = Object.fromEntries(
      (settings.schedules ?? []).map(cron => [cron, before[cron] ?? nextRun(parseCron(cron), nowMs)]),
    )
    this.#put({ ...settings, name, modifiedMs: nowMs, nextMs })
    this.#sql.exec(
      'INSERT INTO versions (id, class_name, created_ms) VALUES (?, ?, ?)',
      crypto.randomUUID(),
      settings.className,
      nowMs,
    )
    this.#sql.exec(
      'DELETE FROM versions WHERE number <= (SELECT max(number) FROM versions) - ?',
      MAX_VERSIONS,
    )
  }

  /** Forgets what was on a disk that has been emptied. */
  clear(): void {
    this.#stored = undefined
  }

  /** Newest first. */
  versions(): WorkflowVersion[] {
    return this.#sql
      .exec<{ id: string; class_name: string; created_ms: number }>(
        'SELECT id, class_name, created_ms FROM versions ORDER BY number DESC',
      )
      .toArray()
      .map(({ id, class_name: className, created_ms: createdMs }) => ({ id, className, createdMs }))
  }

  /** How long instances are kept that don't say it themselves. */
  get retention(): Retention {
    const { successMs = WORKFLOW_LIMITS.retentionMs, errorMs = WORKFLOW_LIMITS.retentionMs } =
      this.#stored?.retention ?? {}
    return { successMs, errorMs }
  }

  /** The schedules that are due, each once however often it was missed. They are due next at their next time. */
  takeDue(nowMs: number): string[] {
    const stored = this.#stored
    if (!stored) return []
    const due = Object.keys(stored.nextMs).filter(cron => isDue(stored.nextMs[cron], nowMs))
    if (due.length === 0) return []
    const later = due.map(cron => [cron, nextRun(parseCron(cron), nowMs)])
    this.#put({ ...stored, nextMs: { ...stored.nextMs, ...Object.fromEntries(later) } })
    return due
  }

  /** When a schedule is due next. */
  nextDue(): number | undefined {
    const times = Object.values(this.#stored?.nextMs ?? {}).filter(time => time !== null)
    return times.length > 0 ? Math.min(...times) : undefined
  }

  #put(stored: Stored): void {
    this.#stored = stored
    this.#sql.exec("INSERT OR REPLACE INTO meta VALUES ('config', ?)", JSON.stringify(stored))
  }
}

interface Stored extends WorkflowSettings {
  readonly name: string
  readonly modifiedMs: number
  /** When each schedule is due. */
  readonly nextMs: Readonly<Record<string, number | null>>
}

function isDue(at: number | null | undefined, nowMs: number): boolean {
  return typeof at === 'number' && at <= nowMs
}

const MAX_VERSIONS = 100
