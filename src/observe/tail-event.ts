/** A console call, as live logs carry it. */
export interface TailLog {
  /** `debug`, `info`, `log`, `warn` or `error`. */
  readonly level: string
  /** The arguments, as the runtime recorded them: JSON values. */
  readonly message: readonly unknown[]
  readonly timestamp: number
}

/** An exception that nobody caught. */
export interface TailException {
  readonly name: string
  readonly message: string
  readonly stack?: string
  readonly timestamp: number
}

/** What ran. Its keys tell which kind it is, as in Cloudflare's protocol. */
export type TailCause =
  | {
      readonly request: {
        readonly url: string
        readonly method: string
        /** Values that look like credentials read `REDACTED`: the runtime does that. */
        readonly headers: Readonly<Record<string, string>>
        readonly cf: Readonly<Record<string, unknown>>
      }
      readonly response?: { readonly status: number }
    }
  | { readonly cron: string; readonly scheduledTime: number }
  /** An alarm: ISO 8601. */
  | { readonly scheduledTime: string }
  | { readonly queue: string; readonly batchSize: number }
  | { readonly rpcMethod: string }
  | { readonly mailFrom: string; readonly rcptTo: string; readonly rawSize: number }
  | { readonly consumedEvents: readonly { readonly scriptName: string | null }[] }
  | { readonly type: 'overload' | 'overload-stop'; readonly message: string }

/** One message of a live log: an invocation, or a notice. `logs` and `exceptions` are there even if empty: wrangler relies on it. */
export interface TailMessage {
  readonly outcome: string
  readonly scriptName: string
  readonly entrypoint?: string
  readonly scriptVersion?: { readonly id: string }
  /** Milliseconds since the epoch. */
  readonly eventTimestamp: number
  readonly event: TailCause | null
  readonly logs: readonly TailLog[]
  readonly exceptions: readonly TailException[]
  /** The runtime left out logs because there were too many. */
  readonly truncated: boolean
}

/** A message and what filters need to know beside it; only the message is sent to readers. */
export interface TailEvent {
  readonly message: TailMessage
  /** The client's address, for fetch events. */
  readonly clientIp?: string
}
