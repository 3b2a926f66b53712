import { DurableObject } from 'cloudflare:workers'
import type { BindScope } from '../../bindings/binding.ts'
import { setObjectCodeResolver } from '../../bindings/durable-object/code.ts'
import { bindEnv } from '../../bindings/index.ts'
import { toWorkerCode } from '../../runtime/worker-code.ts'
import type { DurableObjectBinding, ExportRef } from '../../src/core/manifest.ts'

export { ObjectAlarms } from '../../bindings/durable-object/alarm-entrypoint.ts'
export { DurableObjectEntrypoint } from '../../bindings/durable-object/entrypoint.ts'
export { UserObject } from '../../bindings/durable-object/object.ts'
export { Objects } from '../../src/objects.ts'

/** Stands in for the index of a namespace: keeps what it is told. */
export class ObjectIndex extends DurableObject {
  add(id: string): void {
    this.ctx.storage.kv.put(id, true)
  }
}

interface HostEnv {
  readonly LOADER: WorkerLoader
  /** The function's code. */
  readonly DRIVER: string
}

const CLASSES = ['Tried', 'Quiet', 'Plain']
const BINDINGS = CLASSES.map(
  (name): DurableObjectBinding => ({ type: 'durable_object_namespace', name, class_name: name }),
)
const EXPORTS: ExportRef[] = [
  { name: 'default', kind: 'handlers', handlers: ['fetch'] },
  { name: 'Tried', kind: 'durable-object', handlers: ['alarm', 'fetch'] },
  { name: 'Quiet', kind: 'durable-object', handlers: [] },
  { name: 'Plain', kind: 'other', handlers: [] },
]

let date = '2026-11-01'
let deployed = 1

function load(env: HostEnv, exports: Cloudflare.Exports): WorkerStub {
  return env.LOADER.get(`${date}/${deployed}`, () => {
    const scope = {
      accountId: '0'.repeat(32),
      script: 'driver',
      exports,
      resources: Object.fromEntries(
        CLASSES.map((name, i) => [`durable_object_namespace/driver/${name}`, String(i).repeat(32)]),
      ),
    } as unknown as BindScope
    return toWorkerCode(
      {
        format: 'modules',
        mainModule: 'driver.js',
        modules: [{ name: 'driver.js', type: 'esm', digest: '', sizeBytes: 0 }],
        compatibilityDate: date,
        compatibilityFlags: [],
        exports: EXPORTS,
        bindings: BINDINGS,
      },
      new Map([['driver.js', new TextEncoder().encode(env.DRIVER)]]),
      { env: bindEnv(BINDINGS, scope), globalOutbound: null },
    )
  })
}

setObjectCodeResolver(({ className }, env, ctx) => ({
  key: `${deployed}/${className}`,
  isTailing: false,
  className,
  worker: () => load(env as unknown as HostEnv, ctx.exports as Cloudflare.Exports),
}))

/** Sends a request to a function with Durable Objects, under the date of the query. `/deploy` deploys it again. */
export default {
  async fetch(request, env, ctx): Promise<Response> {
    const url = new URL(request.url)
    date = url.searchParams.get('date') ?? date
    if (url.pathname === '/deploy') deployed++
    return load(env, ctx.exports).getEntrypoint().fetch(request)
  },
} satisfies ExportedHandler<HostEnv>
