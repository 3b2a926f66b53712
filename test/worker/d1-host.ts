import { WorkerEntrypoint } from 'cloudflare:workers'
import type { BindScope } from '../../bindings/binding.ts'
import { d1 } from '../../bindings/d1/kind.ts'
import type { Database } from '../../bindings/d1/object.ts'
import type { HostEnv } from './host-env.ts'

export { D1Entrypoint } from '../../bindings/d1/entrypoint.ts'
export { Database } from '../../bindings/d1/object.ts'

interface D1HostEnv extends HostEnv {
  readonly D1: D1Database
  readonly DATABASE: DurableObjectNamespace<Database>
}

/** Stands for the objects role; it has nothing else to do here. */
export class Objects extends WorkerEntrypoint<D1HostEnv> {
  database(name: string, request: Request): Promise<Response> {
    return this.env.DATABASE.get(this.env.DATABASE.idFromName(name)).fetch(request)
  }
}

/**
 * Sends a request to a function whose binding is of the database of the query, under the date of the query. With
 * `call`, sends it to the database's object itself instead.
 */
export default {
  async fetch(request, env, ctx): Promise<Response> {
    const { searchParams } = new URL(request.url)
    const date = searchParams.get('date') ?? '2026-11-01'
    const object = searchParams.get('database') ?? 'a'
    const call = searchParams.get('call')
    if (call)
      return ctx.exports.Objects.database(`account/${object}`, new Request(`http://d1${call}`, request))
    const worker = env.LOADER.get(`${date}/${object}`, () => ({
      compatibilityDate: date,
      compatibilityFlags: [],
      mainModule: 'main.js',
      modules: {
        'main.js': `import './env.js'\nexport { default } from './driver.js'`,
        'env.js': `import { env } from 'cloudflare:workers'\nimport { create } from './d1.js'\nenv.DB = create(env.DB, 'DB', env)`,
        'd1.js': d1.facade?.source ?? '',
        'driver.js': env.DRIVER,
      },
      env: {
        DB: d1.bind({ type: 'd1', name: 'DB', id: 'db' }, {
          accountId: 'account',
          exports: ctx.exports,
          resources: { 'd1/db': object },
          d1: env.D1,
        } as unknown as BindScope),
      },
      globalOutbound: null,
    }))
    return worker.getEntrypoint().fetch(request)
  },
} satisfies ExportedHandler<D1HostEnv>
