import { WorkerEntrypoint } from 'cloudflare:workers'
import type { BindScope } from '../../bindings/binding.ts'
import { bindEnv } from '../../bindings/index.ts'
import { encodeV8 } from '../../bindings/queue/v8-encode.ts'
import { setServiceResolver } from '../../bindings/service/entrypoint.ts'
import { callScheduled, describeExports, evictIsolate } from '../../runtime/harness.ts'
import { probeProgram } from '../../runtime/probe.ts'
import { runBatch } from '../../runtime/queue-batch.ts'
import { toWorkerCode } from '../../runtime/worker-code.ts'
import type { Binding, ExportRef, ModuleRef, Program } from '../../src/core/manifest.ts'
import type { ContentType, QueueBatch } from '../../src/core/queue.ts'
import type { TestScript } from './runtime-script.ts'

export { RateLimitEntrypoint } from '../../bindings/rate-limit/entrypoint.ts'
export { ServiceEntrypoint } from '../../bindings/service/entrypoint.ts'

interface Env {
  readonly LOADER: WorkerLoader
  /** Scripts that workerd runs by itself, to compare with. */
  readonly [native: string]: Fetcher | WorkerLoader
}

interface Deployed {
  readonly id: string
  readonly code: () => WorkerLoaderWorkerCode
}

/** Answers for the internet, and says what reached it. */
export class Origin extends WorkerEntrypoint {
  override async fetch(request: Request): Promise<Response> {
    return new Response(`origin ${request.method} ${new URL(request.url).pathname} ${await request.text()}`)
  }
}

const deployed = new Map<string, Deployed>()
let loads = 0
let ids = 0

setServiceResolver((env, _exports, { script }) => {
  const target = deployed.get(script)
  return target && env.LOADER.get(target.id, target.code)
})

export default {
  async fetch(request, env, ctx): Promise<Response> {
    const url = new URL(request.url)
    const [, verb = '', name = '', ...rest] = url.pathname.split('/')
    if (verb === 'probe') return Response.json(await probe((await request.json()) as TestScript, env, ctx))
    if (verb === 'deploy')
      return Response.json(await deploy(name, (await request.json()) as TestScript, env, ctx))
    if (verb === 'loads') return Response.json(loads)

    const forwarded = new Request(`${url.origin}/${rest.join('/')}${url.search}`, request)
    if (verb === 'native') {
      return (env[name] as Fetcher)
        .fetch(forwarded)
        .catch((error: Error) => new Response(`${error}`, { status: 500 }))
    }
    const target = deployed.get(name)
    if (!target) return new Response('no such script', { status: 404 })
    const worker = env.LOADER.get(target.id, () => {
      loads++
      return target.code()
    })
    try {
      switch (verb) {
        case 'run':
          return await worker.getEntrypoint(request.headers.get('entrypoint') ?? undefined).fetch(forwarded)
        case 'code':
          return Response.json(target.code().modules)
        case 'describe':
          return Response.json(await describeExports(worker))
        case 'evict':
          await evictIsolate(worker)
          return Response.json(true)
        case 'scheduled':
          return Response.json(await callScheduled(worker, { cron: '* * * * *', scheduledTime: 60_000 }))
        case 'queue':
        case 'native-queue':
          return Response.json(await runBatch(worker, toBatch(), verb === 'native-queue'))
        case 'native-scheduled':
          return Response.json(
            await worker.getEntrypoint().scheduled({ cron: '* * * * *', scheduledTime: new Date(60_000) }),
          )
      }
    } catch (error) {
      return new Response(`${error}`, { status: 500 })
    }
    return new Response('no such verb', { status: 404 })
  },
} satisfies ExportedHandler<Env>

/** A message of each content type. */
function toBatch(): QueueBatch {
  const encode = (text: string) => new TextEncoder().encode(text)
  const bodies: [ContentType, Uint8Array][] = [
    ['json', encode('{"n":1}')],
    ['text', encode('two')],
    ['bytes', new Uint8Array([3])],
    ['v8', encodeV8(new Map([['n', new Date(4)]]))],
  ]
  return {
    queue: 'jobs',
    messages: bodies.map(([type, body], i) => ({
      id: `m${i}`,
      timestampMs: 60_000 + i,
      attempts: i + 1,
      type,
      body,
    })),
    metrics: { backlogCount: 9, backlogBytes: 99, oldestMessageTimestamp: 5000 },
  }
}

async function probe(script: TestScript, env: Env, ctx: ExecutionContext) {
  const { program, files } = read(script)
  const bound = bindEnv(script.bindings ?? [], scopeOf('probe', ctx))
  return probeProgram(env.LOADER, program, files, bound, null, `probe-${++ids}`)
}

async function deploy(name: string, script: TestScript, env: Env, ctx: ExecutionContext) {
  const result = await probe(script, env, ctx)
  if (!result.ok) return result
  const { program, files } = read(script)
  const exports: ExportRef[] = result.exports
  const loopback = ctx.exports as unknown as { Origin(options: { props: object }): Fetcher }
  deployed.set(name, {
    id: `${name}-${++ids}`,
    code: () =>
      toWorkerCode({ ...program, exports }, files, {
        env: bindEnv(script.bindings ?? [], scopeOf(name, ctx)),
        globalOutbound: loopback.Origin({ props: {} }),
      }),
  })
  return result
}

function read(script: TestScript): {
  program: Program & { bindings: readonly Binding[] }
  files: Map<string, Uint8Array>
} {
  const entries = Object.entries(script.modules)
  const modules: ModuleRef[] = entries.map(([name, { type }]) => ({ name, type, digest: '', sizeBytes: 0 }))
  const files = new Map(entries.map(([name, { base64 }]) => [name, Uint8Array.fromBase64(base64)]))
  return {
    files,
    program: {
      format: script.format ?? 'modules',
      mainModule: script.mainModule,
      modules,
      compatibilityDate: script.compatibilityDate ?? '2026-11-01',
      compatibilityFlags: script.compatibilityFlags ?? [],
      bindings: script.bindings ?? [],
    },
  }
}

function scopeOf(script: string, ctx: ExecutionContext): BindScope {
  return {
    accountId: 'account-1',
    script,
    versionId: 'version-1',
    versionTag: 'tag-1',
    createdOn: '2026-11-01T00:00:00.000000Z',
    exports: ctx.exports,
    kvPrefixes: {},
    resources: {},
  }
}
