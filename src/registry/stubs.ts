import type { StateEnv } from '../env.ts'
import type { Account } from './account.ts'
import { type AccountRecord, workersDomain } from './accounts.ts'
import type { Directory } from './directory.ts'
import type { Limiter } from './limiter.ts'
import type { Records } from './records.ts'

/** The platform's directory. */
export function directory(env: StateEnv): DurableObjectStub<Directory> {
  return env.DIRECTORY.get(env.DIRECTORY.idFromName('directory'))
}

/** An account's registry, which has been told whose it is. */
export async function accountRegistry(
  env: StateEnv,
  account: AccountRecord,
): Promise<DurableObjectStub<Account>> {
  const registry = env.ACCOUNT.get(env.ACCOUNT.idFromName(account.id))
  if (!identified.has(account.id)) {
    await registry.identify(account.id, workersDomain(account, env.SKERRY_DOMAIN ?? 'localhost'))
    identified.add(account.id)
  }
  return registry
}

/** An account's rate limits and quotas. */
export function accountLimiter(env: StateEnv, accountId: string): DurableObjectStub<Limiter> {
  return env.LIMITER.get(env.LIMITER.idFromName(accountId))
}

/** An account's durable records. */
export function accountRecords(env: StateEnv, accountId: string): DurableObjectStub<Records> {
  return env.RECORDS.get(env.RECORDS.idFromName(accountId))
}

/** Accounts whose registry this process has told its identity. */
const identified = new Set<string>()
