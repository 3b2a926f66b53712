import type { BindScope } from '../../bindings/binding.ts'
import facade from '../../bindings/r2/facade.prelude.js'
import { r2 as kind } from '../../bindings/r2/kind.ts'
import type { HostEnv } from './host-env.ts'

export { R2Entrypoint } from '../../bindings/r2/entrypoint.ts'
export { Bucket } from '../../bindings/r2/object.ts'

// As runtime/worker-code.ts does it.
const ENV = `import { env } from 'cloudflare:workers'
import { create } from './r2.js'
env.R2 = create(env.R2)`
const MAIN = `import './env.js'
export { default } from './driver.js'`

/** Sends a request to a function whose binding is the bucket that the query names, under the date of the query. */
export default {
  async fetch(request, env, ctx): Promise<Response> {
    const { searchParams } = new URL(request.url)
    const date = searchParams.get('date') ?? '2026-11-01'
    const bucket = searchParams.get('bucket') ?? 'bucket'
    const stub = kind.bind({ type: 'r2_bucket', name: 'R2', bucket_name: 'files' }, {
      accountId: 'account',
      exports: ctx.exports,
      resources: { 'r2_bucket/files': bucket },
    } as unknown as BindScope)
    const worker = env.LOADER.get(`${date}/${bucket}`, () => ({
      compatibilityDate: date,
      compatibilityFlags: date < '2024-04-03' ? ['rpc', 'fetcher_no_get_put_delete'] : [],
      mainModule: 'main.js',
      modules: { 'main.js': MAIN, 'env.js': ENV, 'r2.js': facade, 'driver.js': env.DRIVER },
      env: { R2: stub },
      globalOutbound: null,
    }))
    return worker.getEntrypoint().fetch(request)
  },
} satisfies ExportedHandler<HostEnv>
