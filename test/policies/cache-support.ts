import { parse } from 'valibot'
import { CacheMemory } from '../../routes/policies/cache/memory.ts'
import { cacheOptions } from '../../routes/policies/cache/options.ts'
import { CachePhase } from '../../routes/policies/cache/phase.ts'
import { makeSettings } from '../../routes/policies/cache/plan.ts'
import type { Exchange } from '../../routes/policies/exchange.ts'
import type { Identity } from '../../routes/policies/identity.ts'
import { createLocalServices } from '../../routes/policies/local-services.ts'
import type { Phase } from '../../routes/policies/policy.ts'
import { runPolicies } from '../../routes/policies/run.ts'
import type { CacheService } from '../../routes/policies/services.ts'
import { type ExchangeSetup, makeExchange, NOW_MS } from './support.ts'

/** What the origin answers: a response, or what makes one of the request it got. */
export type Origin = Response | ((request: Request) => Response | Promise<Response>)

export interface AskOptions extends Pick<ExchangeSetup, 'route' | 'trace' | 'isDryRun'> {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: string
  readonly identity?: Identity
  readonly version?: string
  /** Policies before and behind the cache. */
  readonly before?: readonly Phase[]
  readonly behind?: readonly Phase[]
}

/** A cache with a clock of its own, in front of an origin that counts. */
export interface TestCache {
  readonly memory: CacheMemory
  nowMs: number
  /** How many requests reached the origin. */
  count: number
  /** The requests as they reached it. */
  readonly seen: Request[]
  origin: Origin
  advance(seconds: number): void
  ask(path: string, options?: AskOptions): Promise<Response>
  /** The same as the policy gives it: no promise for a hit. */
  answer(path: string, options?: AskOptions): Response | Promise<Response>
  explain(path: string, options?: AskOptions): Response | undefined
  /** The text of the answer, once all that goes on behind it is over. */
  text(path: string, options?: AskOptions): Promise<string>
  /** Waits for what goes on after answers. */
  settle(): Promise<void>
}

/** @param service in place of the local one */
export function makeCache(
  options: Record<string, unknown> = {},
  { service, memory = new CacheMemory() }: { service?: CacheService; memory?: CacheMemory } = {},
): TestCache {
  const pending: Promise<unknown>[] = []
  const local = createLocalServices()
  const cache: TestCache = {
    memory,
    nowMs: NOW_MS,
    count: 0,
    seen: [],
    origin: new Response('none'),
    advance(seconds) {
      cache.nowMs += seconds * 1000
    },
    async ask(path, options) {
      return cache.answer(path, options)
    },
    answer(path, options = {}) {
      const { before = [], behind = [] } = options
      return runPolicies([...before, phase, ...behind], toExchange(path, options), asked => target(asked))
    },
    explain(path, options = {}) {
      return phase.explain(toExchange(path, { ...options, isDryRun: true }))
    },
    async text(path, options) {
      const text = await (await cache.ask(path, options)).text()
      await cache.settle()
      return text
    },
    async settle() {
      while (pending.length > 0) await pending.shift()
    },
  }
  const settings = makeSettings(parse(cacheOptions, options), 'cache', memory, () => cache.nowMs)
  const phase = new CachePhase(settings)
  const toExchange = (
    path: string,
    { method = 'GET', headers = {}, body, identity, version, before, behind, ...init }: AskOptions,
  ): Exchange => {
    const request = new Request(path.startsWith('http') ? path : `https://example.com${path}`, {
      method,
      headers,
      ...(body !== undefined && { body }),
    })
    const exchange = makeExchange(request, {
      ...init,
      nowMs: cache.nowMs,
      services: { cache: service ?? local.cache, waitUntil: promise => void pending.push(promise) },
    })
    exchange.identity = identity
    exchange.version = version
    return exchange
  }
  const target = async (asked: Exchange): Promise<Response> => {
    const request = asked.takeRequest()
    cache.count++
    cache.seen.push(request)
    const { origin } = cache
    return typeof origin === 'function' ? origin(request) : origin.clone()
  }
  return cache
}

/** An answer of the origin; its text tells how often it was asked before. */
export function fresh(
  headers: Record<string, string> = { 'cache-control': 'max-age=60' },
  status = 200,
): Origin {
  let made = 0
  return () => {
    made++
    return new Response(NO_BODY.has(status) ? null : `v${made}`, { status, headers })
  }
}

export function identityOf(subject: string, type = 'jwt'): Identity {
  return { type, policy: 'customers', subject, scopes: [], roles: [], claims: {} }
}

const NO_BODY = new Set([204, 205, 304])
