import type { BindScope } from '../../bindings/binding.ts'
import { kv as kind } from '../../bindings/kv/kind.ts'
import type { HostEnv } from './host-env.ts'

export { KvEntrypoint } from '../../bindings/kv/entrypoint.ts'

/** Sends a request to a function whose KV binding has the prefix of the query, under the date of the query. */
export default {
  async fetch(request, env, ctx): Promise<Response> {
    const { searchParams } = new URL(request.url)
    const date = searchParams.get('date') ?? '2026-11-01'
    const prefix = searchParams.get('prefix') ?? '0000001:'
    const bind = () =>
      kind.bind({ type: 'kv_namespace', name: 'KV', namespace_id: 'ns' }, {
        exports: ctx.exports,
        kvPrefixes: { ns: prefix },
      } as unknown as BindScope)
    const worker = env.LOADER.get(`${date}/${prefix}`, () => ({
      compatibilityDate: date,
      compatibilityFlags: date < '2024-04-03' ? ['rpc', 'fetcher_no_get_put_delete'] : [],
      mainModule: 'driver.js',
      modules: { 'driver.js': env.DRIVER },
      env: { KV: bind(), KEY_BYTES: 504 },
      globalOutbound: null,
    }))
    return worker.getEntrypoint().fetch(request)
  },
} satisfies ExportedHandler<HostEnv>
