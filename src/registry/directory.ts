import { DurableObject } from 'cloudflare:workers'
import { SkerryError } from '../core/errors.ts'
import type { StateEnv } from '../env.ts'
import { ACCOUNTS_SCHEMA, type AccountRecord, findAccount, insertAccount, listAccounts } from './accounts.ts'
import { claimHosts, HOSTS_SCHEMA, hostTaken, releaseHosts } from './hosts.ts'
import { migrate } from './schema.ts'
import {
  createTokenText,
  deleteToken,
  findToken,
  hashToken,
  insertToken,
  listTokens,
  TOKENS_SCHEMA,
  type TokenRecord,
  type TokenRole,
} from './tokens.ts'

/** What the control plane must know about a caller. */
export interface Authentication {
  readonly token: TokenRecord
  readonly accounts: readonly AccountRecord[]
}

/** The platform's one directory: accounts, tokens, whose a host name is, and the sequence of KV prefixes. */
export class Directory extends DurableObject<StateEnv> {
  readonly #sql: SqlStorage
  #adminHash: Promise<string>

  constructor(ctx: DurableObjectState, env: StateEnv) {
    super(ctx, env)
    this.#sql = ctx.storage.sql
    migrate(ctx.storage, [`${ACCOUNTS_SCHEMA}; ${TOKENS_SCHEMA}; ${HOSTS_SCHEMA}; ${SEQUENCES_SCHEMA}`])
    if (listAccounts(this.#sql).length === 0) insertAccount(this.#sql, 'default', Date.now())
    this.#adminHash = hashToken(env.ADMIN_TOKEN)
  }

  /** The token of this hash and the accounts it reaches; the operator's own token is an admin of all. */
  async authenticate(hash: string): Promise<Authentication | undefined> {
    const token = hash === (await this.#adminHash) ? ADMIN : findToken(this.#sql, hash)
    if (!token) return undefined
    const accounts = listAccounts(this.#sql)
    return {
      token,
      accounts: token.account_id ? accounts.filter(({ id }) => id === token.account_id) : accounts,
    }
  }

  accounts(): AccountRecord[] {
    return listAccounts(this.#sql)
  }

  account(id: string): AccountRecord | undefined {
    return findAccount(this.#sql, id)
  }

  /** @throws ERR_ACCOUNT_NAME if it is malformed or taken */
  createAccount(name: string): AccountRecord {
    return insertAccount(this.#sql, name, Date.now())
  }

  tokens(): TokenRecord[] {
    return listTokens(this.#sql)
  }

  /** Makes a token; its text is in this answer and nowhere else. @throws ERR_ACCOUNT_NOT_FOUND */
  async createToken(fields: {
    name: string
    role: TokenRole
    accountId: string | null
  }): Promise<TokenRecord & { token: string }> {
    if (fields.accountId && !findAccount(this.#sql, fields.accountId)) {
      throw new SkerryError('ERR_ACCOUNT_NOT_FOUND', `There is no account "${fields.accountId}".`)
    }
    const token = createTokenText()
    return { ...insertToken(this.#sql, await hashToken(token), fields, Date.now()), token }
  }

  revokeToken(id: string): boolean {
    return deleteToken(this.#sql, id)
  }

  /**
   * Claims hosts for an account, all or none. A claim that its owner no longer uses is taken over.
   *
   * @throws ERR_HOST_TAKEN
   */
  async claimHosts(accountId: string, hosts: readonly string[]): Promise<void> {
    for (const { host, account_id } of claimHosts(this.#sql, accountId, hosts)) {
      const owner = this.env.ACCOUNT.get(this.env.ACCOUNT.idFromName(account_id))
      if (await owner.usesHost(host)) throw hostTaken(host)
      releaseHosts(this.#sql, account_id, [host])
    }
    const [conflict] = claimHosts(this.#sql, accountId, hosts)
    if (conflict) throw hostTaken(conflict.host)
  }

  releaseHosts(accountId: string, hosts: readonly string[]): void {
    releaseHosts(this.#sql, accountId, hosts)
  }

  /** A prefix for one KV namespace's keys: 7 base-36 digits and a colon, never given twice. */
  allocateKvPrefix(): string {
    const { value } = this.#sql
      .exec<{ value: number }>(
        `INSERT INTO sequences VALUES ('kv_prefix', 1)
         ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value`,
      )
      .one()
    return `${value.toString(36).padStart(7, '0')}:`
  }
}

const SEQUENCES_SCHEMA = 'CREATE TABLE sequences (name TEXT PRIMARY KEY, value INTEGER NOT NULL)'

const ADMIN: TokenRecord = {
  id: 'admin',
  name: 'admin',
  role: 'admin',
  account_id: null,
  created_on: '1970-01-01T00:00:00.000000Z',
}
