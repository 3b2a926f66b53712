import { WorkerEntrypoint } from 'cloudflare:workers'
import { setServiceResolver } from '../../bindings/service/entrypoint.ts'
import { RouteTable } from '../../routes/table.ts'
import { evictIdle, isolateCounters, Evictor as RealEvictor } from '../../runtime/evict.ts'
import { loadWorker } from '../../runtime/loader.ts'
import type { Binding, LoadableVersion } from '../../src/core/manifest.ts'
import type { AccountChanges } from '../../src/core/routing.ts'
import type { EdgeEnv } from '../../src/env.ts'
import { handleRequest } from '../../src/gateway.ts'

export { ServiceEntrypoint } from '../../bindings/service/entrypoint.ts'

/** What a script is, beside its table entry: the same code for all of its versions. */
export interface EvictScript {
  readonly source: string
  readonly bindings?: readonly Binding[]
  readonly compatibilityFlags?: readonly string[]
  /** How long the state role takes to answer for it. */
  readonly delayMs?: number
}

const table = new RouteTable()
const scripts = new Map<string, EvictScript>()

/** The state role and the code store. */
export class State extends WorkerEntrypoint {
  async version(_accountId: string, script: string, versionId: string): Promise<LoadableVersion | undefined> {
    const { bindings = [], compatibilityFlags = [], delayMs } = scripts.get(script) ?? {}
    if (delayMs) await scheduler.wait(delayMs)
    return {
      versionId,
      versionTag: '',
      createdOn: '2026-11-01T00:00:00.000000Z',
      format: 'modules',
      mainModule: 'index.js',
      modules: [{ name: 'index.js', type: 'esm', digest: script, sizeBytes: 0 }],
      compatibilityDate: '2026-11-01',
      compatibilityFlags,
      exports: [{ name: 'default', kind: 'handlers', handlers: ['fetch'] }],
      bindings,
      kvPrefixes: {},
      resources: {},
      reads: { cf: false, clientHeaders: false },
    }
  }
}

const CODE = {
  get: async (script: string) => new TextEncoder().encode(scripts.get(script)?.source).buffer,
} as unknown as KVNamespace

export class Outbound extends WorkerEntrypoint {
  override fetch(): Response {
    return new Response('outside')
  }
}

export class TailEntrypoint extends WorkerEntrypoint {
  override tail(): void {}
}

/** The real one, but that the harness of scripts named `hang…` never answers, and that of `break…` fails. */
export class Evictor extends RealEvictor {
  constructor(ctx: ExecutionContext, env: EdgeEnv) {
    const LOADER = {
      ...env.LOADER,
      get: (id: string, load: () => WorkerLoaderWorkerCode) => {
        if (id.includes('/hang')) return fake(() => new Promise(() => {}))
        if (id.includes('/break')) return fake(() => Promise.reject(new Error('no')))
        return env.LOADER.get(id, load)
      },
    }
    super(ctx, { ...env, LOADER })
  }
}

function fake(evict: () => Promise<unknown>): WorkerStub {
  return { getEntrypoint: () => ({ evict }) } as unknown as WorkerStub
}

setServiceResolver((env, exports, { accountId, script }) => {
  const target = table.script(accountId, script)
  return target?.sole && loadWorker(target, target.sole, Date.now(), { ...env, CODE }, { exports })
})

export default {
  async fetch(request, env, ctx): Promise<Response> {
    const { hostname, pathname, searchParams } = new URL(request.url)
    if (hostname !== 'control') {
      const match = table.match(hostname, pathname)
      return match
        ? handleRequest(request, match, { ...env, CODE }, ctx)
        : new Response('nothing here', { status: 404 })
    }
    switch (pathname) {
      case '/scripts':
        for (const [name, script] of Object.entries((await request.json()) as Record<string, EvictScript>)) {
          scripts.set(name, script)
        }
        return Response.json(scripts.size)
      case '/apply':
        table.apply((await request.json()) as AccountChanges)
        return Response.json(true)
      case '/counters':
        return Response.json(isolateCounters())
      case '/evict': {
        const options = Object.fromEntries([...searchParams].map(([name, value]) => [name, Number(value)]))
        return Response.json((await evictIdle(options, env, ctx)) ?? null)
      }
    }
    return new Response('no such verb', { status: 404 })
  },
} satisfies ExportedHandler<EdgeEnv>
