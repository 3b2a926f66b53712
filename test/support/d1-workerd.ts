import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import type { BindingConfig } from '../../host/config.ts'
import { bundleModule, startWorkerd, type Workerd } from './workerd.ts'

/** A binding of the runtime's D1 client class over a service. */
function clientOf(name: string, service: string | { name: string; props: { json: string } }): BindingConfig {
  return {
    name,
    wrapped: { moduleName: 'cloudflare-internal:d1-api', innerBindings: [{ name: 'fetcher', service }] },
  }
}

/** Our binding: `test/worker/d1-host.ts` with a function's code. Its files outlive it if `dataDir` is given. */
export async function startOurs(driver: string, dataDir?: string): Promise<Workerd> {
  return startWorkerd({
    modules: { 'host.js': await bundleModule('test/worker/d1-host.ts') },
    compatibilityFlags: [],
    durableObjects: ['Database'],
    ...(dataDir && { dataDir }),
    bindings: [
      { name: 'LOADER', workerLoader: { id: 'functions' } },
      { name: 'DATABASE', durableObjectNamespace: { className: 'Database' } },
      { name: 'DRIVER', text: driver },
      clientOf('D1', 'main'),
    ],
  })
}

/** The database that comes with workerd, under the same code. */
export function startEmbedded(driver: string, dataDir: string): Promise<Workerd> {
  mkdirSync(join(dataDir, 'd1'), { recursive: true })
  return startWorkerd({
    modules: { 'driver.js': driver },
    compatibilityFlags: [],
    bindings: [clientOf('DB', { name: 'd1', props: { json: JSON.stringify({ database: 'a' }) } })],
    services: [
      {
        name: 'd1',
        worker: {
          modules: [{ name: 'd1.js', bundled: '/workerd/d1.js' }],
          compatibilityDate: '2026-01-01',
          bindings: [{ name: 'DATABASE', durableObjectNamespace: { className: 'D1Database' } }],
          durableObjectNamespaces: [{ className: 'D1Database', uniqueKey: 'D1Database', enableSql: true }],
          durableObjectStorage: { localDisk: 'd1-disk' },
        },
      },
      { name: 'd1-disk', disk: { path: join(dataDir, 'd1'), writable: true } },
    ],
  })
}

/** Miniflare's, as `wrangler dev` has it. */
export function startMiniflare(driver: string): Miniflare {
  const options = convertV4MiniflareOptions({
    modules: [{ type: 'ESModule', path: 'driver.js', contents: driver }],
    compatibilityDate: '2026-11-01',
    d1Databases: { DB: 'a' },
    cf: false,
  })
  return new Miniflare(options)
}
