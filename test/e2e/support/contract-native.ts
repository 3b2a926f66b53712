import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { fromNative } from '../../support/analytics-points.ts'
import { embeddedQueues } from '../../support/queue-workerd.ts'
import { bundleModule, startWorkerd } from '../../support/workerd.ts'
import { embeddedWorkflows, WORKFLOW_BINDING, WORKFLOWS_ENGINE } from '../../support/workflow-workerd.ts'
import { CLASSES, type Column, type Native, readAnswer } from './contract-kinds.ts'

/** A column that runs until it is stopped. */
export interface NativeColumn extends Column {
  stop(): Promise<void>
}

/** Starts the driver with native bindings. */
export const startNative: Readonly<Record<Native, (driver: string) => Promise<NativeColumn>>> = {
  Miniflare: async driver => {
    const miniflare = new Miniflare(
      convertV4MiniflareOptions({
        modules: [{ type: 'ESModule', path: 'driver.js', contents: driver }],
        compatibilityDate: '2026-11-01',
        cf: false,
        bindings: { KEY_BYTES: 512 },
        kvNamespaces: ['KV'],
        d1Databases: { DB: 'a' },
        r2Buckets: ['R2'],
        // Objects see what is bound, so all is.
        queueProducers: { EVENTS: 'events', PAIRS: 'pairs', REFUSED: 'refused' },
        workflows: { FLOW: { name: 'flow', className: 'Flow' } },
        analyticsEngineDatasets: { ENGINE: { dataset: 'set' } },
        durableObjects: Object.fromEntries(
          Object.entries(CLASSES).map(([name, className]) => [name, { className, useSQLite: true }]),
        ),
      }),
    )
    await miniflare.ready
    return {
      host: 'native',
      read: async path => readAnswer(path, await miniflare.dispatchFetch(`http://driver${path}`)),
      readPoints: async () => [],
      stop: () => miniflare.dispose(),
    }
  },
  workerd: async driver => {
    const dir = mkdtempSync(join(tmpdir(), 'contract-'))
    const workerd = await startWorkerd({
      modules: { 'driver.js': driver },
      compatibilityFlags: [],
      bindings: [
        ...['events', 'pairs', 'refused'].map(queue => ({
          name: queue.toUpperCase(),
          queue: { name: 'queues', props: { json: JSON.stringify({ queue }) } },
        })),
        { name: 'ENGINE', analyticsEngine: 'sink' },
        { name: 'SINK', service: 'sink' },
        WORKFLOW_BINDING,
      ],
      workflowsEngine: WORKFLOWS_ENGINE,
      workers: { sink: { modules: { 'main.js': await bundleModule('test/worker/analytics-sink.ts') } } },
      services: [
        ...embeddedQueues(join(dir, 'queues')),
        ...embeddedWorkflows(join(dir, 'workflows'), '2026-11-01'),
      ],
    })
    const read = async (path: string) => readAnswer(path, await workerd.fetch(path))
    return {
      host: 'native',
      read,
      readPoints: async () =>
        (JSON.parse(await read('/analytics/written')) as Record<string, unknown>[]).map(fromNative),
      stop: async () => {
        await workerd.stop()
        rmSync(dir, { recursive: true, force: true })
      },
    }
  },
}
