import { DurableObject } from 'cloudflare:workers'
import type { RunLink } from '../../src/core/invoker.ts'
import type { StateEnv } from '../../src/env.ts'
import { migrate } from '../../src/registry/schema.ts'
import { Alarm, HEARTBEAT_MS } from '../alarm.ts'
import { WorkflowConfig } from './config.ts'
import { instanceNotFound, invalidId, refusal } from './failures.ts'
import { hasEnded, type Instance, Instances, toSummary } from './instances.ts'
import { WORKFLOW_LIMITS } from './limits.ts'
import { isEventType, isInstanceAddress } from './names.ts'
import { type CheckedInstance, checkInstance, encodePayload, readBatch, wrongBody } from './new-instance.ts'
import type { Run } from './run.ts'
import { runInEdge } from './run-in-edge.ts'
import { Runs } from './runs.ts'
import { WORKFLOW_MIGRATIONS } from './schema.ts'
import { Steps } from './steps.ts'
import type {
  CronSchedule,
  InstanceCommand,
  InstanceError,
  InstanceInfo,
  InstancePage,
  InstanceProblem,
  InstanceQuery,
  InstanceStatus,
  NewInstance,
  RestartPoint,
  Trigger,
  WorkflowCalls,
  WorkflowInfo,
  WorkflowSettings,
} from './types.ts'

/**
 * A workflow: what it runs, and its instances with their steps and events. The object's name is
 * `<account>/<object id>`. Every method is called by the platform only.
 *
 * An instance is on disk before its maker is answered, a step's result before the code has it. `run()` is run again
 * from its beginning whenever it has to be: docs/design/workflows.md.
 */
export class Workflow extends DurableObject<StateEnv> implements WorkflowCalls {
  readonly #config: WorkflowConfig
  readonly #instances: Instances
  readonly #alarm: Alarm
  readonly #runs: Runs

  constructor(ctx: DurableObjectState, env: StateEnv) {
    super(ctx, env)
    const { storage } = ctx
    migrate(storage, WORKFLOW_MIGRATIONS)
    this.#config = new WorkflowConfig(storage.sql)
    this.#instances = new Instances(storage.sql)
    this.#alarm = new Alarm(storage)
    this.#runs = new Runs({
      accountId: this.#ownName().split('/', 1)[0] ?? '',
      storage,
      config: this.#config,
      instances: this.#instances,
      drive: (run, instance) => this.#drive(run, instance),
      changed: () => this.#pump(),
    })
    const now = Date.now()
    this.#instances.recover(now)
    this.#arm(now)
  }

  configure(name: string, settings: WorkflowSettings): WorkflowInfo {
    this.#config.configure(name, settings, Date.now())
    this.#runs.release()
    this.#pump()
    return this.info() as WorkflowInfo
  }

  info(): WorkflowInfo | undefined {
    const { current } = this.#config
    if (!current) return undefined
    const { nextMs: _, ...shown } = current
    return { ...shown, versions: this.#config.versions(), counts: this.#instances.counts() }
  }

  create(options: NewInstance | undefined, trigger: Trigger): { id: string } {
    const instance = checkInstance(options)
    this.#requireRoom()
    if (this.#instances.find(instance.id)) {
      throw refusal('instance.already_exists', `Workflow instance with id "${instance.id}" already exists`)
    }
    this.#insert(instance, trigger)
    this.#pump()
    return { id: instance.id }
  }

  createBatch(options: unknown, trigger: Trigger): { created: { id: string }[]; errors: InstanceProblem[] } {
    const instances = readBatch(options).map(checkInstance)
    this.#requireRoom()
    const created: { id: string }[] = []
    const errors: InstanceProblem[] = []
    const seen = new Set<string>()
    this.ctx.storage.transactionSync(() => {
      instances.forEach((instance, index) => {
        const { id } = instance
        if (seen.has(id)) {
          errors.push({ index, id, code: 10415, message: 'workflows.api.error.instance.duplicate_in_batch' })
        } else if (this.#instances.find(id)) {
          errors.push({ index, id, code: 10405, message: 'workflows.api.error.instance.already_exists' })
        } else {
          this.#insert(instance, trigger)
          created.push({ id })
        }
        seen.add(id)
      })
    })
    this.#pump()
    return { created, errors }
  }

  find(id: unknown): { id: string } {
    return { id: this.#require(id).id }
  }

  status(id: unknown): { status: InstanceStatus; output: unknown; error: InstanceError | undefined } {
    const { seq, status, error } = this.#require(id)
    return { status, output: this.#instances.output(seq) ?? null, error: error ?? undefined }
  }

  command(id: unknown, command: InstanceCommand, from?: RestartPoint): void {
    const instance = this.#require(id)
    switch (command) {
      case 'pause':
        this.#pause(instance)
        break
      case 'resume':
        this.#resume(instance)
        break
      case 'restart':
        this.#restart(instance, from)
        break
      case 'terminate':
        if (hasEnded(instance.status)) {
          throw refusal('instance.cannot_terminate', 'Cannot terminate instance since its on a finite state')
        }
        this.#runs.end(instance.seq)
        this.#instances.change(instance.seq, { status: 'terminated' }, Date.now())
    }
    this.#pump()
  }

  sendEvent(id: unknown, { type, payload }: { type: unknown; payload?: unknown }): void {
    const { seq, status, wakeMs, wakeTypes } = this.#require(id)
    if (!isEventType(type)) throw refusal('instance.invalid_event_type', 'Event type is invalid')
    const bytes = encodePayload(payload, 'payload')
    // Nobody would take it.
    if (hasEnded(status)) return
    this.#requireRoom()
    const now = Date.now()
    this.#instances.addEvent(seq, type, bytes, now)
    if (wakeMs !== null && wakeTypes.includes(type) && status !== 'paused') {
      this.#instances.change(seq, { status: 'queued', wakeMs: null }, now)
    }
    this.#runs.get(seq)?.notify(type)
    this.#pump()
  }

  deleteInstances(ids: unknown): { deleted: { id: string }[]; errors: Omit<InstanceProblem, 'index'>[] } {
    if (!Array.isArray(ids)) throw wrongBody('Provided argument is invalid')
    if (ids.length > WORKFLOW_LIMITS.batch) {
      throw wrongBody('batchDeleteInstances only supports 100 instances at a time')
    }
    if (ids.length === 0) throw wrongBody('batchDeleteInstances should have at least 1 instance')
    if (!ids.every(isInstanceAddress)) throw invalidId()
    const outcomes = new Map([...new Set(ids)].map(id => [id, this.#delete(id)]))
    const isDeleted = (id: unknown) => outcomes.get(id) === true
    return {
      deleted: ids.filter(isDeleted).map(id => ({ id })),
      errors: ids
        .filter(id => !isDeleted(id))
        .map(id => ({
          id: String(id),
          code: 10400,
          message: 'workflows.api.error.instance.not_found',
        })),
    }
  }

  list(query: InstanceQuery): InstancePage {
    return this.#instances.list(query)
  }

  describe(id: string): InstanceInfo {
    const instance = this.#require(id)
    const output = this.#instances.output(instance.seq)
    const held = this.#runs.holdOf(instance.seq)
    const steps = this.#steps(instance.seq)
    return {
      ...toSummary(instance),
      params: this.#instances.params(instance.seq),
      ...(output !== undefined && { output }),
      ...(instance.error && { error: instance.error }),
      ...(held && { held: { error: held.error, untilMs: held.untilMs } }),
      stepCount: steps.count(),
      steps: steps.list(),
    }
  }

  /** What ties a run to its instance, for the edge that was asked for it. */
  attach(token: string): RunLink {
    return this.#runs.attach(token)
  }

  async remove(): Promise<void> {
    this.#runs.endAll()
    this.#config.clear()
    await this.ctx.storage.deleteAll()
    migrate(this.ctx.storage, WORKFLOW_MIGRATIONS)
    this.#alarm.clear()
  }

  override alarm(): void {
    this.#alarm.ring('workflow', () => this.#pump())
  }

  #insert(
    { id, params, ...own }: CheckedInstance,
    source: Trigger,
    createdMs = Date.now(),
    schedule?: CronSchedule,
  ): void {
    const [version] = this.#config.versions()
    const { successMs, errorMs } = { ...this.#config.retention, ...own }
    this.#instances.insert({
      ...{ id, params, source, createdMs, successMs, errorMs, schedule: schedule ?? null },
      version: version?.id ?? '',
    })
  }

  #pause({ seq, status }: Instance): void {
    const now = Date.now()
    const run = this.#runs.get(seq)
    if (run?.isBusy && status === 'running') {
      run.hold()
      this.#instances.change(seq, { status: 'waitingForPause' }, now)
    } else if (status === 'queued' || status === 'running' || status === 'waiting') {
      this.#runs.end(seq)
      this.#instances.change(seq, { status: 'paused', pausedMs: now }, now)
    }
  }

  #resume({ seq, status, pausedMs, wakeMs, wakeTypes }: Instance): void {
    const now = Date.now()
    if (status === 'waitingForPause') {
      this.#instances.change(seq, { status: 'running' }, now)
      this.#runs.get(seq)?.resume()
      return
    }
    if (status !== 'paused') {
      throw refusal('instance.cannot_resume', `Cannot resume instance with status "${status}"`)
    }
    // Waits go on with what they had left, but those whose event has come.
    const shift = now - (pausedMs ?? now)
    const hasCome = wakeTypes.length > 0 && this.#instances.hasEvent(seq, wakeTypes)
    const restsUntilMs = wakeMs === null || hasCome ? null : wakeMs + shift
    this.ctx.storage.transactionSync(() => {
      this.#steps(seq).shift(shift)
      const after = restsUntilMs === null ? 'queued' : 'waiting'
      this.#instances.change(seq, { status: after, wakeMs: restsUntilMs, pausedMs: null }, now)
    })
  }

  #restart({ seq }: Instance, from: RestartPoint | undefined): void {
    this.ctx.storage.transactionSync(() => {
      const { name = '', count = 1, type = 'do' } = from ?? {}
      if (!this.#steps(seq).forgetFrom(from && { type, name, count })) {
        throw refusal('instance.cannot_restart', `Step "${from?.name}" not found in execution history`)
      }
      this.#instances.clearEvents(seq)
      this.#instances.reset(seq, Date.now())
    })
    this.#runs.end(seq)
  }

  #delete(id: unknown): boolean {
    const instance = typeof id === 'string' ? this.#instances.find(id) : undefined
    if (!instance) return false
    this.#runs.end(instance.seq)
    this.ctx.storage.transactionSync(() => this.#instances.delete(instance.seq))
    return true
  }

  /** Starts what is to start, deletes what has had its time, and sets the alarm for what is next. */
  #pump(): void {
    if (!this.#config.current) return
    const now = Date.now()
    for (const cron of this.#config.takeDue(now)) {
      const schedule = { cron, scheduledTime: now }
      if (this.#hasRoom()) this.#insert(checkInstance(undefined), 'cron', now, schedule)
      else console.error(`workflow: no room for the instance of the schedule "${cron}"`)
    }
    for (const seq of this.#instances.expired(now)) {
      this.ctx.storage.transactionSync(() => this.#instances.delete(seq))
    }
    this.#instances.wake(now)
    for (const running of this.#runs.start(now)) this.ctx.waitUntil(running)
    this.#arm(now)
  }

  #drive({ token, cancelled }: Run, { id: instanceId }: Instance): Promise<string | undefined> {
    const { script, className } = this.#config.require()
    const [accountId = '', object = ''] = this.#ownName().split('/')
    const request = { accountId, script, className, instanceId, object, token }
    return runInEdge(this.env, this.ctx.exports, request, cancelled)
  }

  #steps(seq: number): Steps {
    return new Steps(this.ctx.storage.sql, seq)
  }

  #require(id: unknown): Instance {
    this.#config.require()
    const found = typeof id === 'string' ? this.#instances.find(id) : undefined
    if (!found) throw instanceNotFound()
    return found
  }

  #requireRoom(): void {
    this.#config.require()
    if (this.#hasRoom()) return
    throw refusal(
      'workflow.full',
      `The workflow's instances hold more than the ${WORKFLOW_LIMITS.storageBytes} bytes that are allowed`,
    )
  }

  #hasRoom(): boolean {
    return this.ctx.storage.sql.databaseSize < WORKFLOW_LIMITS.storageBytes
  }

  #arm(now: number): void {
    const times = [
      // After a crash nobody else would wake the object.
      this.#runs.count > 0 || this.#instances.due(1).length > 0 ? now + HEARTBEAT_MS : undefined,
      this.#runs.nextStart(now),
      this.#instances.nextWake() ?? undefined,
      this.#instances.nextExpiry() ?? undefined,
      this.#config.nextDue(),
    ].filter(time => time !== undefined)
    if (times.length > 0) this.#alarm.by(Math.max(Math.min(...times), now))
  }

  #ownName(): string {
    const { name } = this.ctx.id
    if (!name) throw new Error('a Workflow is reached by its name')
    return name
  }
}
