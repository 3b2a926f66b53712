import { DurableObject } from 'cloudflare:workers'
import { SkerryError } from '../../src/core/errors.ts'
import type { InvocationTarget, Invoker, ScheduledEvent } from '../../src/core/invoker.ts'
import { LIMITS } from '../../src/core/limits.ts'
import type { EventResult, Outcome } from '../../src/core/outcome.ts'
import type { StateEnv } from '../../src/env.ts'
import { migrate, timestamp } from '../../src/registry/schema.ts'
import { anyEdge, isAway } from '../../src/roles.ts'
import { Alarm } from '../alarm.ts'
import { nextRun, parseCron } from './expression.ts'
import { createPacer } from './pacer.ts'
import { CRON_LIMITS, type NextStep, planAfter, planAfterRestart, planDue, planWake } from './plan.ts'
import * as rows from './schema.ts'

/** A cron trigger as Cloudflare's API shows it; times ISO 8601, UTC. */
export interface Schedule {
  readonly cron: string
  readonly created_on: string
  readonly modified_on: string
}

/** A cron trigger with what it did and will do; times ISO 8601, UTC. */
export interface ScheduleStatus extends Schedule {
  readonly script: string
  readonly next_run: string | null
  /** How its latest tick ended. `lost`: no edge could run it. */
  readonly last: {
    readonly scheduled_time: string
    readonly ended_on: string
    readonly outcome: Outcome | 'lost'
    readonly error: string | null
    readonly attempts: number
  } | null
  /** Ticks that passed while the platform was down and were not run: `since` inclusive, `until` exclusive. */
  readonly skipped: { readonly since: string; readonly until: string } | null
}

/** The object's clock. */
export interface CronTime {
  /** Milliseconds since the epoch. */
  now(): number
  /** The time on the host's clock, which alarms follow, when `now()` will be `at`. */
  toAlarm(at: number): number
}

const SYSTEM_TIME: CronTime = { now: () => Date.now(), toAlarm: at => at }
const MINUTE_MS = 60_000
const MAX_ERROR_CHARS = 1000

/**
 * The cron triggers of one account, whose id is the object's name: what is scheduled, what is owed, and the
 * alarm that runs it. Every method is called by the control plane only.
 *
 * A tick is at least once: it becomes a row in the transaction that plans the next tick, and the row goes
 * when the outcome is known. `README.md` says what happens with overlaps, failures, outages and clock jumps.
 */
export class CronClock extends DurableObject<StateEnv> {
  readonly #sql: SqlStorage
  readonly #alarm: Alarm
  readonly #time: CronTime
  readonly #pace = createPacer(CRON_LIMITS.startsAtOnce, CRON_LIMITS.startSlotMs)
  /** Ids of the runs that this process has started, or will in their turn. */
  readonly #underWay = new Set<number>()
  /** When the object wakes next; `undefined` = not at all. */
  #wakeAt: number | undefined
  /** When the alarm last rang, to notice a clock that is set back. */
  #rangMs = 0

  constructor(ctx: DurableObjectState, env: StateEnv, time: CronTime = SYSTEM_TIME) {
    super(ctx, env)
    this.#sql = ctx.storage.sql
    this.#alarm = new Alarm(ctx.storage)
    this.#time = time
    migrate(ctx.storage, rows.CRON_MIGRATIONS)
    const now = time.now()
    this.#replan(now)
    this.#arm(now)
  }

  /** A script's crons, in the order they were set; none for a script that has none or doesn't exist. */
  getSchedules(script: string): Schedule[] {
    return rows.listSchedules(this.#sql, script).map(toSchedule)
  }

  /**
   * Replaces a script's crons. One that stays keeps its `created_on` and its next run; duplicates count once.
   *
   * @throws ERR_CRON_INVALID, ERR_CRON_LIMIT; then nothing has changed.
   */
  setSchedules(script: string, crons: string[]): Schedule[] {
    const wanted = new Map([...new Set(crons)].map(text => [text, parseCron(text)]))
    if (wanted.size > LIMITS.cronsPerScript) {
      const limit = `at most ${LIMITS.cronsPerScript} are allowed`
      throw new SkerryError('ERR_CRON_LIMIT', `The script has ${wanted.size} cron triggers; ${limit}.`)
    }

    const now = this.#time.now()
    this.ctx.storage.transactionSync(() => {
      for (const { cron } of rows.listSchedules(this.#sql, script)) {
        if (!wanted.has(cron)) rows.removeSchedule(this.#sql, script, cron)
      }
      const entries = [...wanted].entries()
      for (const [position, [text, cron]] of entries) {
        rows.putSchedule(
          this.#sql,
          { script, cron: text, created_ms: now, next_ms: nextRun(cron, now) },
          position,
        )
      }
    })
    this.#arm(now)
    return this.getSchedules(script)
  }

  /** Removes a script's crons and what is owed for them. A run under way goes on and isn't retried. */
  deleteScript(script: string): void {
    this.setSchedules(script, [])
  }

  /** Every cron of the account, by script. */
  listSchedules(): ScheduleStatus[] {
    return rows.listSchedules(this.#sql).map(toStatus)
  }

  /**
   * Runs a script's handler now, once, and says how it ended; changes nothing in the schedule.
   *
   * `cron` is what the handler sees: by default the script's first, or '' if it has none.
   *
   * @throws ERR_STATE_UNAVAILABLE if no edge could run it, ERR_EDGE_LOST if the one that did was lost meanwhile
   */
  async runNow(script: string, cron?: string): Promise<EventResult> {
    const text = cron ?? this.getSchedules(script)[0]?.cron ?? ''
    const scheduledTime = Math.floor(this.#time.now() / MINUTE_MS) * MINUTE_MS
    const invoker = await this.#invoker()
    try {
      return await invoker.runScheduled(this.#target(script), { cron: text, scheduledTime })
    } catch (error) {
      if (!isAway(error)) throw error
      const detail = `The process that ran "${script}" was ended meanwhile; the script's strikes say whether it is why.`
      throw new SkerryError('ERR_EDGE_LOST', detail, { cause: error })
    }
  }

  /**
   * Notes what came due, starts it and sets the next alarm. It never waits for a run: while an alarm handler
   * is busy no other alarm rings, and a handler that takes minutes would hold up every cron of the account.
   */
  override alarm(): void {
    const now = this.#time.now()
    this.#wakeAt = undefined
    try {
      if (this.#rangMs - now > CRON_LIMITS.catchUpMs) this.#replan(now)
      this.#rangMs = now
      this.ctx.storage.transactionSync(() => this.#collectDue(now))
      this.#startRuns(now)
      this.#arm(now)
    } catch (error) {
      // workerd gives an alarm that throws up after six tries, and with it every cron of the account.
      console.error('cron: the alarm failed and will be tried again:', error)
      this.#wakeBy(now + CRON_LIMITS.heartbeatMs)
    }
  }

  #collectDue(now: number): void {
    for (const schedule of rows.listDue(this.#sql, now)) {
      const due = planDue(parseCron(schedule.cron), schedule.next_ms ?? now, now)
      if (!due) continue
      if (due.run !== undefined) rows.addRun(this.#sql, schedule, due.run)
      if (due.skipped) rows.setSkipped(this.#sql, schedule, due.skipped)
      rows.setNext(this.#sql, schedule, due.nextAt)
    }
  }

  #startRuns(now: number): void {
    for (const run of rows.listRuns(this.#sql)) {
      if (run.not_before_ms > now || this.#underWay.has(run.id)) continue
      this.#underWay.add(run.id)
      this.ctx.waitUntil(this.#pace(() => this.#run(run)))
    }
  }

  async #run(run: rows.RunRow): Promise<void> {
    try {
      // It may have been removed while it waited for its turn.
      if (rows.hasRun(this.#sql, run.id)) this.#settle(run, await this.#attempt(run))
    } finally {
      this.#underWay.delete(run.id)
    }
  }

  async #attempt(run: rows.RunRow): Promise<EventResult | { outcome: 'lost'; error: string }> {
    const event: ScheduledEvent = { cron: run.cron, scheduledTime: run.scheduled_ms }
    const { promise: timeout, resolve } = Promise.withResolvers<EventResult>()
    const timer = setTimeout(() => {
      const error = `no outcome within ${CRON_LIMITS.runMs / MINUTE_MS} minutes`
      resolve({ outcome: 'canceled', noRetry: true, error })
    }, CRON_LIMITS.runMs)
    try {
      const invoker = await this.#invoker()
      return await Promise.race([invoker.runScheduled(this.#target(run.script), event), timeout])
    } catch (error) {
      return { outcome: 'lost', error: String(error) }
    } finally {
      clearTimeout(timer)
    }
  }

  #settle(run: rows.RunRow, result: EventResult | { outcome: 'lost'; error: string }): void {
    const now = this.#time.now()
    const { scheduled_ms: scheduledTime, failures, lost } = run
    const nextTick = nextRun(parseCron(run.cron), scheduledTime)
    const planned = { scheduledTime, nextTick, failures, lost }
    const next = planAfter({ ...planned, result: result.outcome === 'lost' ? 'lost' : result }, now)
    this.ctx.storage.transactionSync(() => {
      const error = result.error?.slice(0, MAX_ERROR_CHARS)
      rows.setLast(this.#sql, run, { endedMs: now, outcome: result.outcome, error })
      this.#apply(run, next, result.outcome === 'lost' || result.outcome === 'loadShed')
    })
    if (next.step === 'retry') this.#wakeBy(next.at)
  }

  #apply(run: rows.RunRow, next: NextStep, platformFailed: boolean): void {
    if (next.step === 'done') rows.deleteRun(this.#sql, run.id)
    if (next.step === 'forget') rows.removeScheduleOf(this.#sql, run)
    if (next.step === 'retry') {
      const failures = run.failures + (platformFailed ? 0 : 1)
      const lost = run.lost + (platformFailed ? 1 : 0)
      rows.postponeRun(this.#sql, { ...run, not_before_ms: next.at, failures, lost })
    }
  }

  /** Plans anew what a clock that had run far ahead planned. */
  #replan(now: number): void {
    for (const schedule of rows.listSchedules(this.#sql)) {
      if (schedule.next_ms === null) continue
      const next = planAfterRestart(parseCron(schedule.cron), schedule.next_ms, now)
      if (next !== schedule.next_ms) rows.setNext(this.#sql, schedule, next)
    }
  }

  /** Sets the alarm to when something is next to be done. */
  #arm(now: number): void {
    const waiting = rows.listRuns(this.#sql).find(run => !this.#underWay.has(run.id))
    const firstRetry = waiting?.not_before_ms ?? null
    const wake = planWake(rows.firstTick(this.#sql), firstRetry, this.#underWay.size, now)
    if (wake !== undefined) {
      this.#setAlarm(wake)
    } else {
      this.#wakeAt = undefined
      void this.ctx.storage.deleteAlarm()
    }
  }

  /** Sets the alarm to `at`, unless it rings earlier anyway. */
  #wakeBy(at: number): void {
    if (this.#wakeAt === undefined || at < this.#wakeAt) this.#setAlarm(at)
  }

  #setAlarm(at: number): void {
    this.#wakeAt = at
    this.#alarm.set(this.#time.toAlarm(at))
  }

  #target(script: string): InvocationTarget {
    const accountId = this.ctx.id.name
    if (!accountId) throw new Error('a CronClock is reached by its account id: use getByName()')
    return { accountId, script }
  }

  /** An edge, bound or loopback: this role never runs users' code. */
  async #invoker(): Promise<Invoker> {
    return (await anyEdge(this.env, this.ctx.exports)) as unknown as Invoker
  }
}

function toSchedule(row: rows.ScheduleRow): Schedule {
  // A cron is never changed, only replaced.
  const created = timestamp(row.created_ms)
  return { cron: row.cron, created_on: created, modified_on: created }
}

function toStatus(row: rows.ScheduleRow): ScheduleStatus {
  return {
    script: row.script,
    ...toSchedule(row),
    next_run: row.next_ms === null ? null : toIso(row.next_ms),
    last: row.last_outcome && {
      scheduled_time: toIso(row.last_scheduled_ms),
      ended_on: toIso(row.last_ended_ms),
      outcome: row.last_outcome,
      error: row.last_error,
      attempts: row.last_attempts ?? 1,
    },
    skipped:
      row.skipped_since_ms === null
        ? null
        : { since: toIso(row.skipped_since_ms), until: toIso(row.skipped_until_ms) },
  }
}

function toIso(ms: number | null): string {
  return new Date(ms ?? 0).toISOString()
}
