import type { StrikePolicy } from '../core/strikes.ts'
import type { Ledger } from './ledger.ts'
import { reviseScript } from './scripts.ts'
import { insertStrike, planStrike, putQuarantine, type Strike } from './strikes.ts'

/** Takes a strike in, with the quarantine that it brings; edges are told only of that. */
export async function addStrike(
  ledger: Ledger,
  script: string,
  strike: Strike,
  policy: StrikePolicy,
): Promise<void> {
  const { storage, sql } = ledger
  const plan = planStrike(sql, script, strike, policy, Date.now())
  if (!plan) return
  const { record, quarantine } = plan
  if (!quarantine) {
    storage.transactionSync(() => insertStrike(sql, record))
    return
  }
  await ledger.commit(revision => {
    insertStrike(sql, record)
    putQuarantine(sql, quarantine)
    reviseScript(sql, script, revision)
  })
}
