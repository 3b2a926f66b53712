import { type AccountOptions, AccountRoutes, type GatewayEntry } from './account-routes.ts'
import type { RoutedRequest } from './conditions.ts'
import { type Candidate, explainRoutes } from './explain.ts'
import { type GatewayMatch, toMatch } from './leaf.ts'
import type { PathOptions } from './path.ts'
import { toKey } from './path-key.ts'
import { Search, type Trie } from './trie.ts'

/**
 * Host, path, method, headers and query → route, for the gateway files of all accounts. Pure: fed by `set`, asked by
 * `match`. docs/routing.md says which route is found; the table keeps to it whatever the number of routes.
 *
 * A host belongs to one account, that of the most specific host pattern: no account's wildcard, nor its priorities,
 * reach into a host that another one names. Paths must have been through `normalisePath` with `paths(host)`.
 */
export class GatewayTable<T> {
  readonly #accounts = new Map<string, AccountRoutes<T>>()
  readonly #exact = new Map<string, Slot<T>[]>()
  /** By the name that they are below. */
  readonly #wildcards = new Map<string, Slot<T>[]>()
  readonly #search = new Search<T>()

  /** Whether no account has a route: then there is nothing to ask. */
  get isEmpty(): boolean {
    return this.#accounts.size === 0
  }

  /**
   * Puts new routes in the place of those of an account; none, or `undefined`, takes them away.
   *
   * @throws SkerryError ERR_GATEWAY_FILE if a route is wrong; nothing has changed then
   */
  set(accountId: string, entries: readonly GatewayEntry<T>[] | undefined, options: AccountOptions): void {
    const account = entries && entries.length > 0 ? new AccountRoutes(accountId, entries, options) : undefined
    const before = this.#accounts.get(accountId)
    if (before) this.#unbind(before)
    this.#accounts.delete(accountId)
    if (!account) return
    this.#accounts.set(accountId, account)
    this.#bind(account)
  }

  /** Whether any account's routes are for this host. */
  serves(host: string): boolean {
    return this.#slotOf(host) !== undefined
  }

  /** How paths of this host are to be read; `undefined` if no route is for it. */
  paths(host: string): PathOptions | undefined {
    return this.#slotOf(host)?.account.options.paths
  }

  /**
   * What a request leads to.
   *
   * @param host lower case, without port
   * @param path normalised, without query
   */
  match(host: string, path: string, request: RoutedRequest): GatewayMatch<T> | undefined {
    const slot = this.#slotOf(host)
    if (!slot) return undefined
    const search = this.#searchFor(slot, path, request)
    for (const trie of slot.tries) trie.search(search)
    const { best } = search
    search.reset()
    return best && toMatch(best, path)
  }

  /**
   * The methods that routes ask for which differ from the request in nothing else: what a 405 answer says in `Allow`.
   * For requests that `match` finds nothing for; `undefined` if there is no such route.
   */
  allowedMethods(host: string, path: string, request: RoutedRequest): readonly string[] | undefined {
    const slot = this.#slotOf(host)
    if (!slot) return undefined
    const search = this.#searchFor(slot, path, request)
    const methods = new Set<string>()
    search.methods = methods
    for (const trie of slot.tries) trie.search(search)
    search.reset()
    return methods.size > 0 ? [...methods] : undefined
  }

  /**
   * Every route in the order in which they are tried, and what spoke against it.
   *
   * @param accountId whose routes; else those of the account that the host belongs to
   */
  explain(host: string, path: string, request: RoutedRequest, accountId?: string): Candidate<T>[] {
    const slot = this.#slotOf(host)
    const account = accountId === undefined ? slot?.account : this.#accounts.get(accountId)
    if (!account) return []
    const isOwn = account === slot?.account
    const search = this.#searchFor({ account }, path, request)
    const { whole: key, ignoresTrailingSlash } = search
    search.reset()
    // A host that belongs to somebody else is none of this account's, whatever its patterns say.
    return explainRoutes(account.leaves, {
      host: isOwn ? host : '',
      isOwn,
      key,
      ignoresTrailingSlash,
      request,
    })
  }

  #searchFor(
    { account: { options } }: Pick<Slot<T>, 'account'>,
    path: string,
    request: RoutedRequest,
  ): Search<T> {
    const search = this.#search
    // Whatever ended the one before, nothing of it may be left.
    search.reset()
    const key = toKey(path, options.paths)
    const ignoresSlash = options.paths.trailing_slash === 'ignore'
    search.key = key
    search.whole = ignoresSlash && key.endsWith('/') ? key.slice(0, -1) : key
    search.ignoresTrailingSlash = ignoresSlash
    search.request = request
    return search
  }

  #slotOf(host: string): Slot<T> | undefined {
    const exact = this.#exact.get(host)
    if (exact) return exact[0]
    const first = host.indexOf('.')
    for (let dot = first; dot > 0; dot = host.indexOf('.', dot + 1)) {
      const slots = this.#wildcards.get(host.slice(dot + 1))
      const slot = slots?.find(({ isOneLabel }) => !isOneLabel || dot === first)
      if (slot) return slot
    }
    return undefined
  }

  #bind(account: AccountRoutes<T>): void {
    const add = (slots: Map<string, Slot<T>[]>, name: string, isWildcard: boolean, isOneLabel: boolean) => {
      const slot = { account, isOneLabel, tries: account.triesFor(name, isWildcard) }
      // Two accounts can't claim the same host; if they seem to, every edge must choose alike.
      const all = [...(slots.get(name) ?? []), slot].sort((a, b) => (a.account.id < b.account.id ? -1 : 1))
      slots.set(name, all)
    }
    for (const name of account.exact.keys()) add(this.#exact, name, false, false)
    for (const name of account.wildcards.keys()) add(this.#wildcards, name, true, false)
    const { workersDomain } = account.options
    if (account.hostless && !account.wildcards.has(workersDomain)) {
      add(this.#wildcards, workersDomain, true, true)
    }
  }

  #unbind(account: AccountRoutes<T>): void {
    for (const slots of [this.#exact, this.#wildcards]) {
      const names = slots === this.#exact ? account.exact.keys() : account.wildcards.keys()
      for (const name of [...names, account.options.workersDomain]) {
        const left = slots.get(name)?.filter(slot => slot.account !== account)
        if (left && left.length > 0) slots.set(name, left)
        else slots.delete(name)
      }
    }
  }
}

/** A host, or all names below one, of an account. */
interface Slot<T> {
  readonly account: AccountRoutes<T>
  /** Only names with one label more: they are the account's own, deeper ones may be another's. */
  readonly isOneLabel: boolean
  /** Of the most specific host pattern first. */
  readonly tries: readonly Trie<T>[]
}
