import type {
  ApiKeyService,
  CacheService,
  LimiterService,
  RecordService,
  Services,
} from '../routes/policies/services.ts'
import type { EdgeEnv } from './env.ts'
import { askState } from './roles.ts'

/** What the services of an exchange are made from. */
export interface ServicesInit {
  readonly apiKeys: ApiKeyService
  readonly cache: CacheService
  /** Whether policies and upstreams may reach private addresses and this machine. */
  readonly allowPrivate?: boolean
}

/** What an exchange's services are bound to: it ends with its request. */
type Context = Pick<ExecutionContext, 'waitUntil' | 'exports'>

/** The platform's services for the policies of one exchange: what is shared is asked of the state role. */
export function createServices(accountId: string, env: EdgeEnv, ctx: Context, init: ServicesInit): Services {
  return new PlatformServices(accountId, env, ctx, init)
}

/** The part of a cache service by which one of all edges fetches what is missing. */
export function createFetchLocks(
  accountId: string,
  env: EdgeEnv,
  ctx: Context,
): Pick<Required<CacheService>, 'begin' | 'renew' | 'done'> {
  return {
    begin: key => askState(env, ctx.exports, state => state.beginFetch(accountId, key)),
    renew: (key, handle) => askState(env, ctx.exports, state => state.renewFetch(accountId, key, handle)),
    done: (key, handle) => askState(env, ctx.exports, state => state.endFetch(accountId, key, handle)),
  }
}

/** A class, and its parts made when first asked for: most exchanges need none of them. */
class PlatformServices implements Services {
  readonly apiKeys: ApiKeyService
  readonly cache: CacheService
  readonly #accountId: string
  readonly #env: EdgeEnv
  readonly #ctx: Context
  readonly #allowPrivate: boolean
  #limiter: LimiterService | undefined
  #records: RecordService | undefined

  constructor(accountId: string, env: EdgeEnv, ctx: Context, init: ServicesInit) {
    this.apiKeys = init.apiKeys
    this.cache = init.cache
    this.#accountId = accountId
    this.#env = env
    this.#ctx = ctx
    this.#allowPrivate = init.allowPrivate ?? false
  }

  fetch(input: Request | string, init?: RequestInit): Promise<Response> {
    const { INTERNET, UPSTREAM } = this.#env
    const way = this.#allowPrivate ? UPSTREAM : INTERNET
    return way ? way.fetch(input, init) : fetch(input, init)
  }

  waitUntil(promise: Promise<unknown>): void {
    this.#ctx.waitUntil(promise)
  }

  get limiter(): LimiterService {
    this.#limiter ??= createLimiter(this.#accountId, this.#env, this.#ctx)
    return this.#limiter
  }

  get records(): RecordService {
    this.#records ??= createRecords(this.#accountId, this.#env, this.#ctx)
    return this.#records
  }
}

/** A request that is repeated because the state process went away counts twice at most: never too little. */
function createLimiter(accountId: string, env: EdgeEnv, { exports }: Context): LimiterService {
  return {
    take: request => askState(env, exports, state => state.takePermits(accountId, request)),
    spend: request => askState(env, exports, state => state.spendQuota(accountId, request)),
  }
}

/** A claim that is repeated may find itself: claim with a value of your own, and compare. */
function createRecords(accountId: string, env: EdgeEnv, { exports }: Context): RecordService {
  return {
    claim: (key, value, ttlSeconds) =>
      askState(env, exports, state => state.claimRecord(accountId, key, value, ttlSeconds)),
    put: (key, value, ttlSeconds) =>
      askState(env, exports, state => state.putRecord(accountId, key, value, ttlSeconds)),
    get: key => askState(env, exports, state => state.getRecord(accountId, key)),
    delete: key => askState(env, exports, state => state.deleteRecord(accountId, key)),
  }
}
