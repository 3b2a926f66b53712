import { PermitBook } from '../../src/core/permit-book.ts'
import { grantOfQuota, periodEndMs, type QuotaRequest, type QuotaState } from '../../src/core/permits.ts'
import { RecentMap } from '../../src/core/recent-map.ts'
import type { LimiterService } from './services.ts'

/** Counters in this isolate's memory: exact within it, gone with it. Of quotas, those used latest are kept. */
export function createLocalLimiter(now: () => number = Date.now): LimiterService {
  let book: PermitBook | undefined
  const quotas = new RecentMap<string, { used: number; resetAtMs: number }>(MAX_QUOTAS)
  return {
    async take(request) {
      // Not before: outside of a request, a Worker on Cloudflare has no clock.
      book ??= new PermitBook(now())
      return book.take(request, now())
    },
    async spend(request) {
      return spendLocally(quotas, request, now())
    },
  }
}

function spendLocally(
  quotas: RecentMap<string, { used: number; resetAtMs: number }>,
  { policy, key, period, limit, wanted, needed, ahead }: QuotaRequest,
  nowMs: number,
): QuotaState {
  const id = JSON.stringify([policy, key, period])
  const resetAtMs = periodEndMs(period, nowMs)
  const held = quotas.get(id)
  const used = held?.resetAtMs === resetAtMs ? held.used : 0
  const granted = grantOfQuota({ wanted, needed, ahead }, limit - used)
  if (granted > 0) quotas.set(id, { used: used + granted, resetAtMs })
  return { granted, used: used + granted, resetAtMs }
}

const MAX_QUOTAS = 100_000
