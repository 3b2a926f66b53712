/** A process of the platform, as `/api/v1/processes` shows it. */
export interface ProcessStatus {
  readonly name: string
  /** `all`: every role in one process. */
  readonly role: 'state' | 'objects' | 'edge' | 'all'
  readonly state: 'starting' | 'ready' | 'late' | 'draining' | 'waiting'
  readonly pid: number | null
  /** ISO 8601; `null` while it doesn't run. */
  readonly started_on: string | null
  /** Resident memory. `null` where the system doesn't tell. */
  readonly rss_bytes: number | null
  /** Users' isolates in memory now, and loaded since its start; `null` for processes that run none. */
  readonly isolates: number | null
  readonly isolates_ever: number | null
  /** Starts after the first, since the platform's start. */
  readonly restarts: number
  /** Why the last life ended, and when. */
  readonly last_end: { readonly reason: string; readonly at: string } | null
}

/** What the supervisor reports each second, and whenever something changes. */
export interface ProcessReport {
  readonly processes: readonly ProcessStatus[]
}

/** What the platform's API wants of the supervisor, in the answer to its report. */
export interface ProcessOrders {
  /** Replace every process, one by one. */
  readonly restart: boolean
}

/** What a process says of itself in the answer to a heartbeat. */
export interface HealthReport {
  /** It serves: the registry answers, the route table is filled. */
  readonly ready: boolean
  /** In processes that run functions. */
  readonly isolates?: {
    /** In memory now. */
    readonly loaded: number
    /** Loaded since the process started. */
    readonly everLoaded: number
    readonly evicted: number
    /** Those that didn't end when they were told to. */
    readonly stuck: number
  }
}
