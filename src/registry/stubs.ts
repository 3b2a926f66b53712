import type { StateEnv } from '../env.ts'
import type { Account } from './account.ts'
import { type AccountRecord, workersDomain } from './accounts.ts'
import type { Directory } from './directory.ts'

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

/** Accounts whose registry this process has told its identity. */
const identified = new Set<string>()
