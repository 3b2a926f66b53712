import type { StateEnv } from '../../src/env.ts'
import type { Account } from '../../src/registry/account.ts'
import type { AccountRecord } from '../../src/registry/accounts.ts'

/** What a token may do: `viewer` reads, `deployer` also changes scripts and data, `admin` also manages tokens and accounts. */
export type Role = 'viewer' | 'deployer' | 'admin'

/** Who calls the control plane, as its token says. */
export interface Principal {
  readonly tokenId: string
  readonly tokenName: string
  readonly role: Role
  /** The account the token is for; `undefined` = every account. */
  readonly accountId?: string | undefined
}

/** The account a request's path names, after its principal was found to belong to it. */
export interface AccountScope {
  readonly id: string
  readonly name: string
  /** Where its scripts answer: `<script>.<workersDomain>`. */
  readonly workersDomain: string
  /** The registry of this account. */
  readonly registry: DurableObjectStub<Account>
}

/** Hono's environment for every route of the control plane. */
export interface Api {
  Bindings: StateEnv
  Variables: {
    principal: Principal
    /** The accounts the principal may reach. */
    accounts: readonly AccountRecord[]
    /** Set below `/accounts/:account`. */
    account: AccountScope
    requestId: string
  }
}
