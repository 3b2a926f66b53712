import type { LimiterService } from './services.ts'

/** Counters in this isolate's memory: exact within it, gone with it. */
export function createLocalLimiter(): LimiterService {
  throw new Error('not yet')
}
