import { fromOurs } from '../../support/analytics-points.ts'
import type { Platform } from './client.ts'
import { CLASSES, type Column, readAnswer } from './contract-kinds.ts'

const SCRIPT = 'contract-driver'
const DATASET = 'contract'
/** Hundreds of cases, all kinds at once, on a machine that may be busy. */
const DRIVER_MS = 180_000

/** Deploys the driver to a platform, with everything that it is bound to. */
export async function deployDriver(platform: Platform, driver: string): Promise<Column> {
  const create = async <T>(path: string, body: object): Promise<T> => {
    const answer = await platform.api<T>('POST', `$A${path}`, body)
    if (!answer.success) throw new Error(`POST ${path}: ${JSON.stringify(answer.errors)}`)
    return answer.result
  }
  const queues = ['events', 'pairs', 'refused', 'dead']
  const [namespace, database] = await Promise.all([
    create<{ id: string }>('/storage/kv/namespaces', { title: 'contract' }),
    create<{ uuid: string }>('/d1/database', { name: 'contract' }),
    create('/r2/buckets', { name: 'contract' }),
    ...queues.map(queue_name => create('/queues', { queue_name })),
  ])
  await platform.upload(SCRIPT, driver, {
    bindings: [
      { type: 'workflow', name: 'FLOW', workflow_name: 'flow', class_name: 'Flow' },
      { type: 'json', name: 'KEY_BYTES', json: 504 },
      { type: 'kv_namespace', name: 'KV', namespace_id: namespace.id },
      { type: 'd1', name: 'DB', id: database.uuid },
      { type: 'r2_bucket', name: 'R2', bucket_name: 'contract' },
      { type: 'analytics_engine', name: 'ENGINE', dataset: DATASET },
      ...['events', 'pairs', 'refused'].map(queue_name => ({
        ...{ type: 'queue', name: queue_name.toUpperCase(), queue_name },
      })),
      ...Object.entries(CLASSES).map(([name, class_name]) => ({
        type: 'durable_object_namespace',
        name,
        class_name,
      })),
    ],
    migrations: { new_tag: 'v1', new_sqlite_classes: Object.values(CLASSES) },
    // All kinds at once in one isolate, and what came of hundreds of cases in one text.
    limits: { cpu_ms: 3000 },
  })
  const consume = (queue: string, settings: object, more: object = {}) =>
    create(`/queues/${queue}/consumers`, { type: 'worker', script_name: SCRIPT, settings, ...more })
  // As `test/support/queue-workerd.ts` has them.
  await Promise.all([
    consume('events', { batch_size: 100, max_wait_time_ms: 0, max_retries: 0 }),
    consume(
      'pairs',
      { batch_size: 2, max_wait_time_ms: 60_000, max_retries: 2 },
      { dead_letter_queue: 'dead' },
    ),
    consume('dead', { batch_size: 1, max_wait_time_ms: 0 }),
  ])
  return {
    host: platform.kind,
    read: async path => {
      // No GET: hosts may repeat one whose connection was lost, and cases can't run twice.
      const answer = await platform.call(SCRIPT, path, {
        method: 'POST',
        signal: AbortSignal.timeout(DRIVER_MS),
      })
      return readAnswer(path, answer)
    },
    readPoints: async () => {
      const { body } = await platform.v1<{ data?: Parameters<typeof fromOurs>[0][] }>(
        'GET',
        `$A/analytics/${DATASET}?limit=1000`,
      )
      return (body.data ?? []).toReversed().map(fromOurs)
    },
  }
}
