import type { Analytics } from '../bindings/analytics/object.ts'
import type { CronClock } from '../bindings/cron/object.ts'
import type { Database } from '../bindings/d1/object.ts'
import type { ObjectIndex } from '../bindings/durable-object/index-object.ts'
import type { UserObject } from '../bindings/durable-object/object.ts'
import type { Queue } from '../bindings/queue/object.ts'
import type { Bucket } from '../bindings/r2/object.ts'
import type { Workflow } from '../bindings/workflow/object.ts'
import type { Edge } from './edge.ts'
import type { Objects } from './objects.ts'
import type { TailHub } from './observe/tail-hub.ts'
import type { Account } from './registry/account.ts'
import type { Directory } from './registry/directory.ts'
import type { Limiter } from './registry/limiter.ts'
import type { Records } from './registry/records.ts'
import type { State } from './state.ts'

/** What every role has. */
export interface CommonEnv {
  /** The platform's domain; functions answer on `<script>.<domain>`. Default `localhost`. */
  readonly SKERRY_DOMAIN?: string
  /** Where the platform is reached from outside, e.g. `http://localhost:8787`: for links and tail addresses. */
  readonly SKERRY_URL?: string
  /** `self-host`, `dev` or `cloudflare`: said in `/healthz` and in limits; nothing branches on it but what a host can't do. */
  readonly SKERRY_HOST_KIND?: string
}

/** The edge role: gateway and users' isolates. */
export interface EdgeEnv extends CommonEnv {
  /** Makes users' isolates. */
  readonly LOADER: WorkerLoader
  /** Modules' bytes, by digest. */
  readonly CODE: KVNamespace
  /** Functions' KV, every namespace under an 8-byte prefix. */
  readonly KV: KVNamespace
  /** A way out to public addresses only, checked after name resolution. Absent where the host has none: then plain fetch. */
  readonly INTERNET?: Fetcher
  /** A way out to every address, present only if the operator allows private egress. */
  readonly INTRANET?: Fetcher
  /** The gateway's own way to upstreams and identity providers at any address, for gateway files that a platform admin applied; functions never get it. Absent where the host has none: then plain fetch. */
  readonly UPSTREAM?: Fetcher
  /** Where the control plane listens on this machine, `address:port` with commas between: functions never reach it. */
  readonly SKERRY_LISTENS_ON?: string
  /** The state role, when it is another process. */
  readonly STATE?: Service<typeof State>
  /** The objects role, when it is another process. */
  readonly OBJECTS?: Service<typeof Objects>
  /** Gives functions' D1 bindings the runtime's own client class; its database is never asked anything. */
  readonly D1: D1Database
  /** Bytes of R2 objects and uploads: a directory on self-host, else a bucket of R2. See bindings/r2/blobs.ts. */
  readonly BLOBS: Fetcher | R2Bucket
  /** This process's name, such as `edge-0`. */
  readonly SKERRY_PROCESS?: string
  /** 64 hex digits, another value at each start: marks the board in this process's memory for the supervisor. */
  readonly SKERRY_BOARD?: string
  /** How many isolates an edge holds at most. Absent: 200 (runtime/evict.ts). */
  readonly SKERRY_MAX_ISOLATES?: string
}

/**
 * The objects role: users' Durable Objects and D1 databases. It loads functions as an edge does, follows the
 * registry like one, and has no clients.
 */
export interface ObjectsEnv extends EdgeEnv {
  /** One `UserObject` a user's object, named `<account>/<namespace id>/<object id>`. */
  readonly OBJECT: DurableObjectNamespace<UserObject>
  /** One `ObjectIndex` a namespace of users' objects, named `<account>/<namespace id>`: which objects exist. */
  readonly OBJECT_INDEX: DurableObjectNamespace<ObjectIndex>
  /** One `Database` a D1 database, named `<account>/<its object id>`. */
  readonly DATABASE: DurableObjectNamespace<Database>
}

/** The state role: control plane and everything that must last. Never runs users' code. */
export interface StateEnv extends CommonEnv {
  /** The one `Directory`: accounts, tokens, host names. */
  readonly DIRECTORY: DurableObjectNamespace<Directory>
  /** One `Account` an account: scripts, versions, deployments, secrets, schedules. */
  readonly ACCOUNT: DurableObjectNamespace<Account>
  /** One `CronClock` an account, by its id: cron triggers and the runs they owe. */
  readonly CRON: DurableObjectNamespace<CronClock>
  /** One `TailHub` a script, named `<accountId>/<script>`: its live logs. */
  readonly TAILS: DurableObjectNamespace<TailHub>
  /** One `Limiter` an account, by its id: rate limits and quotas that all edges share. */
  readonly LIMITER: DurableObjectNamespace<Limiter>
  /** One `Records` an account, by its id: policies' small durable records, and who fetches what for caches. */
  readonly RECORDS: DurableObjectNamespace<Records>
  /** One `Queue` a queue, named `<account>/<its object id>`: settings, consumers and messages. */
  readonly QUEUE: DurableObjectNamespace<Queue>
  /** One `Workflow` a workflow, named `<account>/<its object id>`: its instances, and the steps they have taken. */
  readonly WORKFLOW: DurableObjectNamespace<Workflow>
  /** One `Bucket` an R2 bucket, named `<account>/<its object id>`: which objects it has, and the blobs that hold them. */
  readonly BUCKET: DurableObjectNamespace<Bucket>
  /** One `Analytics` an account, by its id: the data points that functions wrote last. */
  readonly ANALYTICS: DurableObjectNamespace<Analytics>
  /** See `EdgeEnv`. */
  readonly OBJECTS?: Service<typeof Objects>
  /** See `EdgeEnv`. */
  readonly BLOBS: Fetcher | R2Bucket
  readonly CODE: KVNamespace
  readonly KV: KVNamespace
  /** base64 of 32 bytes: encrypts secrets at rest. */
  readonly MASTER_KEY: string
  /** The first admin token; hashed into the directory at first use. */
  readonly ADMIN_TOKEN: string
  /** `0`: unknown resource ids in an upload are errors, as on Cloudflare; otherwise they are created. */
  readonly SKERRY_ADOPT?: string
  /** How many strikes put a function in quarantine; `0` = never. Absent: `LIMITS.strikes`. */
  readonly SKERRY_STRIKES?: string
  /** Within how many seconds of one another. Absent: `LIMITS.strikeWindowSeconds`. */
  readonly SKERRY_STRIKE_WINDOW_SECONDS?: string
  /** How many seconds the first quarantine lasts. Absent: `LIMITS.quarantineSeconds`. */
  readonly SKERRY_QUARANTINE_SECONDS?: string
  /** The longest turn of a function whose project sets none, in milliseconds. Absent: `LIMITS.turnMs`. */
  readonly SKERRY_TURN_MS?: string
  /** The longest that a project may set. Absent: `LIMITS.turnMaxMs`. */
  readonly SKERRY_TURN_MAX_MS?: string
  /** The edges, when they are other processes; one more than run, for a replacement to start in. */
  readonly [edge: `EDGE_${number}`]: Service<typeof Edge> | undefined
}

/** One Worker that holds every role, as under `wrangler dev` and on Cloudflare. */
export type Env = EdgeEnv & ObjectsEnv & StateEnv

declare global {
  namespace Cloudflare {
    /** Types `ctx.exports`: the loopback entrypoints of `src/worker.ts`. */
    interface GlobalProps {
      mainModule: typeof import('./worker.ts')
      durableNamespaces:
        | 'Account'
        | 'Analytics'
        | 'Bucket'
        | 'CronClock'
        | 'Database'
        | 'Directory'
        | 'Limiter'
        | 'ObjectIndex'
        | 'Queue'
        | 'Records'
        | 'TailHub'
        | 'UserObject'
        | 'Workflow'
    }
  }
}
