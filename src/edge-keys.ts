import type { ApiKeyService } from '../routes/policies/services.ts'
import type { ApiKey } from './core/gateway.ts'
import type { AccountChanges } from './core/routing.ts'

/** The API keys of one account, in this edge's memory. */
export class ApiKeyTable implements ApiKeyService {
  #revision = 0
  readonly #keys = new Map<string, ApiKey>()

  /** Takes changes in that follow what is held; older ones than that are ignored, as by `RouteTable`. */
  apply({ from, to, apiKeys = [], removedApiKeys = [] }: AccountChanges): void {
    if (to < this.#revision) return
    this.#revision = to
    if (from === 0) this.#keys.clear()
    for (const hash of removedApiKeys) this.#keys.delete(hash)
    for (const { hash, ...key } of apiKeys) this.#keys.set(hash, key)
  }

  find(hash: string): ApiKey | undefined {
    return this.#keys.get(hash)
  }

  get size(): number {
    return this.#keys.size
  }
}

/** Takes the API keys of changes in; to be called whenever the route table takes them. */
export function applyApiKeys(changes: AccountChanges): void {
  tableOf(changes.accountId).apply(changes)
}

/** Where policies of an account look its API keys up: the same object as long as this process lives. */
export function apiKeysOf(accountId: string): ApiKeyService {
  return tableOf(accountId)
}

function tableOf(accountId: string): ApiKeyTable {
  const known = tables.get(accountId)
  if (known) return known
  const table = new ApiKeyTable()
  tables.set(accountId, table)
  return table
}

const tables = new Map<string, ApiKeyTable>()
