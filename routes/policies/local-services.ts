import { createLocalLimiter } from './local-limiter.ts'
import { createLocalRecords } from './local-records.ts'
import type { Services } from './services.ts'

/**
 * Services that keep everything in this isolate's memory: for Workers that use policies without the platform, and
 * for tests. Counters are exact within the isolate only, and nothing outlasts it.
 */
export function createLocalServices(): Services {
  return {
    fetch: (input, init) => fetch(input, init),
    waitUntil: promise => void promise.catch(() => {}),
    limiter: createLocalLimiter(),
    records: createLocalRecords(),
    apiKeys: { find: () => undefined },
    cache: {
      scope: 'local',
      begin: async () => ({ isFetcher: true, handle: '' }),
      done: async () => {},
      read: async () => undefined,
      write: async () => {},
      purgesSince: () => [],
    },
  }
}
