import { mkdirSync } from 'node:fs'
import type { ServiceConfig } from '../../host/config.ts'

/** Who consumes the queues of `test/worker/queue-driver.ts`, and how. */
const CONSUMERS = {
  events: { consumer: 'worker', maxBatchSize: 100, maxBatchTimeout: 0, maxRetries: 0 },
  pairs: {
    consumer: 'worker',
    maxBatchSize: 2,
    maxBatchTimeout: 60,
    maxRetries: 2,
    deadLetterQueue: 'dead',
  },
  dead: { consumer: 'worker', maxBatchSize: 1, maxBatchTimeout: 0 },
}

/** workerd's own queues as service `queues`, with its disk in `dir`; the Worker `main` consumes them. */
export function embeddedQueues(dir: string): ServiceConfig[] {
  mkdirSync(dir, { recursive: true })
  return [
    {
      name: 'queues',
      worker: {
        modules: [{ name: 'queues.js', bundled: '/workerd/queues.js' }],
        compatibilityDate: '2026-01-01',
        compatibilityFlags: ['service_binding_extra_handlers'],
        bindings: [
          { name: 'SHARD', durableObjectNamespace: { className: 'QueueShard' } },
          { name: 'CONSUMERS', json: JSON.stringify(CONSUMERS) },
          { name: 'worker', service: 'main' },
        ],
        durableObjectNamespaces: [{ className: 'QueueShard', uniqueKey: 'QueueShard', enableSql: true }],
        durableObjectStorage: { localDisk: 'queues-disk' },
      },
    },
    { name: 'queues-disk', disk: { path: dir, writable: true } },
  ]
}
