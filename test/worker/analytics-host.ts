import { WorkerEntrypoint } from 'cloudflare:workers'
import { analytics as kind } from '../../bindings/analytics/kind.ts'
import type { DataPoint } from '../../bindings/analytics/point.ts'
import type { BindScope } from '../../bindings/binding.ts'
import type { HostEnv } from './host-env.ts'

export { AnalyticsEntrypoint } from '../../bindings/analytics/entrypoint.ts'
export { Analytics } from '../../bindings/analytics/object.ts'

const written: [string, DataPoint][] = []

export class State extends WorkerEntrypoint {
  writeDataPoints(accountId: string, points: readonly DataPoint[]): void {
    for (const point of points) written.push([accountId, point])
  }
}

interface AnalyticsHostEnv extends HostEnv {
  readonly Analytics: DurableObjectNamespace<import('../../bindings/analytics/object.ts').Analytics>
}

/** Runs the cases in a function with the platform's binding; also shows what it wrote, and calls an `Analytics`. */
export default {
  async fetch(request, env, ctx): Promise<Response> {
    const { pathname } = new URL(request.url)
    if (pathname === '/written') return Response.json(written)
    if (pathname === '/object') {
      const [method, ...args] = await request.json<
        ['write', DataPoint[]] | ['read', string, number] | ['datasets']
      >()
      const object = env.Analytics.getByName('a')
      if (method === 'write') await object.write(args[0] as DataPoint[])
      const [dataset, limit] = args as [string, number]
      const answer = method === 'read' ? await object.read(dataset, limit) : await object.datasets()
      return Response.json(answer ?? null)
    }
    const scope = { accountId: 'account', script: 'driver', exports: ctx.exports } as unknown as BindScope
    const worker = env.LOADER.get('driver', () => ({
      compatibilityDate: '2026-11-01',
      mainModule: 'main.js',
      modules: {
        'main.js': `import { create } from './facade.js'
          import { runCases } from './cases.js'
          export default { fetch: (request, env) => Response.json(runCases(create(env.ENGINE))) }`,
        'cases.js': env.DRIVER,
        'facade.js': kind.facade.source,
      },
      env: { ENGINE: kind.bind({ type: 'analytics_engine', name: 'ENGINE', dataset: 'set' }, scope) },
      globalOutbound: null,
    }))
    return worker.getEntrypoint().fetch(request)
  },
} satisfies ExportedHandler<AnalyticsHostEnv>
