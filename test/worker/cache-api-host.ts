import { cacheProps } from '../../bindings/cache/props.ts'
import { toDriverCode } from './driver-code.ts'
import type { HostEnv } from './host-env.ts'

export { CacheEntrypoint } from '../../bindings/cache/entrypoint.ts'

/** Sends a request to a function with a Cache API: of the account and script, and under the date, of the query. */
export default {
  async fetch(request, env, ctx): Promise<Response> {
    const { searchParams } = new URL(request.url)
    const date = searchParams.get('date') ?? '2026-11-01'
    const accountId = searchParams.get('account') ?? '0'.repeat(32)
    const script = searchParams.get('script') ?? 'driver'
    const worker = env.LOADER.get(`${date}/${accountId}/${script}`, () =>
      toDriverCode(
        env.DRIVER,
        { compatibilityDate: date, exports: [{ name: 'default', kind: 'handlers', handlers: ['fetch'] }] },
        {
          env: { SAID: 'text' },
          globalOutbound: null,
          caches: ctx.exports.CacheEntrypoint({
            props: cacheProps({ accountId, script }, { compatibilityDate: date, compatibilityFlags: [] }),
          }),
        },
      ),
    )
    return worker.getEntrypoint().fetch(request)
  },
} satisfies ExportedHandler<HostEnv>
