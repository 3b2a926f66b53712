import type { RecordService } from './services.ts'

/** Records in this isolate's memory: good for one isolate, gone with it. Oldest ones go when there are too many. */
export function createLocalRecords(now: () => number = Date.now): RecordService {
  const records = new Map<string, { value: string; untilMs: number }>()
  const find = (key: string) => {
    const record = records.get(key)
    if (record && record.untilMs > now()) return record
    records.delete(key)
    return undefined
  }
  const put = (key: string, value: string, ttlSeconds: number) => {
    records.delete(key)
    if (records.size >= MAX_RECORDS) {
      const [oldest] = records.keys()
      if (oldest !== undefined) records.delete(oldest)
    }
    records.set(key, { value, untilMs: now() + ttlSeconds * 1000 })
  }
  return {
    async claim(key, value, ttlSeconds) {
      const held = find(key)
      if (held) return { claimed: false, value: held.value }
      put(key, value, ttlSeconds)
      return { claimed: true, value }
    },
    async put(key, value, ttlSeconds) {
      put(key, value, ttlSeconds)
    },
    async get(key) {
      return find(key)?.value
    },
    async delete(key) {
      records.delete(key)
    },
  }
}

const MAX_RECORDS = 10_000
