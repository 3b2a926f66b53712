/** How far an instance is; names are Cloudflare's. */
export type InstanceStatus =
  | 'queued'
  | 'running'
  | 'paused'
  | 'errored'
  | 'terminated'
  | 'complete'
  | 'waiting'
  | 'waitingForPause'

/** An error as it is kept: what of it crosses from isolate to isolate. */
export interface InstanceError {
  readonly name: string
  readonly message: string
}

/** How long instances are kept once they have ended, in milliseconds. */
export interface Retention {
  readonly successMs: number
  readonly errorMs: number
}

/** What a workflow is told when its Worker is deployed. */
export interface WorkflowSettings {
  readonly script: string
  readonly className: string
  /** Steps that an instance may take. */
  readonly stepLimit?: number
  /** Instances that may run at once. */
  readonly concurrency?: number
  /** For instances that say nothing themselves. */
  readonly retention?: Partial<Retention>
  /** Cron expressions; at each an instance is made. */
  readonly schedules?: readonly string[]
}

/** A workflow as the control plane sees it. */
export interface WorkflowInfo extends WorkflowSettings {
  readonly name: string
  readonly modifiedMs: number
  /** Newest first: one for each time it was configured, at most 100. */
  readonly versions: readonly WorkflowVersion[]
  /** How many instances there are of each status that there are any of. */
  readonly counts: Readonly<Partial<Record<InstanceStatus, number>>>
}

/** What a workflow was at a time. */
export interface WorkflowVersion {
  /** A UUID. */
  readonly id: string
  readonly className: string
  readonly createdMs: number
}

/** What made an instance. */
export type Trigger = 'binding' | 'api' | 'cron'

/** The schedule that made an instance, as `run()` sees it. */
export interface CronSchedule {
  readonly cron: string
  /** Milliseconds since the epoch. */
  readonly scheduledTime: number
}

/** A new instance, as its maker asks for it. Everything is checked by the workflow. */
export interface NewInstance {
  readonly id?: unknown
  readonly params?: unknown
  readonly retention?: unknown
}

/** An instance in a list. */
export interface InstanceSummary {
  readonly id: string
  readonly status: InstanceStatus
  readonly trigger: Trigger
  readonly versionId: string
  readonly createdMs: number
  readonly modifiedMs: number
  readonly startedMs?: number
  readonly endedMs?: number
}

/** Which instances a list has. */
export interface InstanceQuery {
  readonly status?: InstanceStatus
  /** Made at or after, at or before: milliseconds since the epoch. */
  readonly fromMs?: number
  readonly untilMs?: number
  /** Of the page before. */
  readonly cursor?: string
  readonly limit: number
  /** Newest first unless it is `asc`. */
  readonly order?: 'asc' | 'desc'
}

/** A page of instances. */
export interface InstancePage {
  readonly instances: readonly InstanceSummary[]
  /** Of the next page, if there is one. */
  readonly cursor?: string
  /** How many there are on all pages. */
  readonly total: number
}

/** One run of a step's callback. */
export interface Attempt {
  readonly startMs: number
  readonly endMs?: number
  readonly error?: InstanceError
}

/** A step that an instance has reached. */
export interface StepInfo {
  readonly type: 'do' | 'sleep' | 'waitForEvent'
  readonly name: string
  /** The how manieth of its name and type, from 1. */
  readonly count: number
  readonly startMs: number
  readonly endMs?: number
  /** Absent while it is not over. */
  readonly success?: boolean
  /** When a wait is over at the latest, or the next attempt begins. */
  readonly dueMs?: number
  /** One of more than 16 KiB, and what would make all of them more than a MiB, is the text `[truncated output]`. */
  readonly output?: unknown
  readonly error?: InstanceError
  /** As given, defaults filled in; of `do` only. */
  readonly config?: unknown
  /** Of `do` only: the last 10. */
  readonly attempts?: readonly Attempt[]
  /** Of `waitForEvent` only. */
  readonly eventType?: string
}

/** An instance with all that is known of it. */
export interface InstanceInfo extends InstanceSummary {
  readonly params: unknown
  readonly output?: unknown
  readonly error?: InstanceError
  /** Why it is queued although it could run, and when it is tried again. */
  readonly held?: { readonly error: string; readonly untilMs: number }
  readonly stepCount: number
  /** The last 2,000, in the order in which they were reached. */
  readonly steps: readonly StepInfo[]
}

/** What can be asked of an instance. */
export type InstanceCommand = 'pause' | 'resume' | 'restart' | 'terminate'

/** The step that a restart begins at. */
export interface RestartPoint {
  readonly name: string
  /** Default 1. */
  readonly count?: number
  /** Default `do`. */
  readonly type?: StepInfo['type']
}

/** What could not be done for one of several instances; codes are Cloudflare's. */
export interface InstanceProblem {
  readonly id: string
  readonly index: number
  readonly code: number
  readonly message: string
}

/** What of a workflow's object is asked from outside; a refusal is an error whose message begins with its code in brackets, such as `(instance.not_found)`. */
export interface WorkflowCalls {
  /** Makes an instance. @throws (instance.already_exists), (instance.invalid_id), (body), (workflow.not_found) */
  create(options: NewInstance | undefined, trigger: Trigger): { id: string }
  /** Makes up to 100; those whose id is taken are told of. @throws as `create` for what is wrong with the whole */
  createBatch(options: unknown, trigger: Trigger): { created: { id: string }[]; errors: InstanceProblem[] }
  /** @throws (instance.not_found) */
  find(id: unknown): { id: string }
  /** What `instance.status()` gives. @throws (instance.not_found) */
  status(id: unknown): { status: InstanceStatus; output: unknown; error: InstanceError | undefined }
  /** @throws (instance.not_found), (instance.cannot_resume), (instance.cannot_terminate), (instance.cannot_restart) */
  command(id: unknown, command: InstanceCommand, from?: RestartPoint): void
  /** @throws (instance.not_found), (body) */
  sendEvent(id: unknown, event: { type: unknown; payload?: unknown }): void
  /** Deletes instances with all they hold, running ones too. @throws (body), (instance.invalid_id) */
  deleteInstances(ids: unknown): { deleted: { id: string }[]; errors: Omit<InstanceProblem, 'index'>[] }
  list(query: InstanceQuery): InstancePage
  /** @throws (instance.not_found) */
  describe(id: string): InstanceInfo
  /** Tells the workflow its name and what it runs. */
  configure(name: string, settings: WorkflowSettings): WorkflowInfo
  /** `undefined` until it is configured, and once it was removed. */
  info(): WorkflowInfo | undefined
  /** Deletes it with all instances. */
  remove(): void
}
