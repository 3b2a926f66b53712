import { type Leaf, type RouteChoice, toLeaves } from './leaf.ts'
import type { PathOptions } from './path.ts'
import { parsePatterns } from './pattern.ts'
import { Trie } from './trie.ts'

/** A route of the gateway file, and what a match of it gives. */
export interface GatewayEntry<T> {
  readonly route: RouteChoice
  readonly value: T
}

/** What holds for all routes of an account. */
export interface AccountOptions {
  /** `paths` of the file. */
  readonly paths: PathOptions
  /** Routes without a host are also for every name that is one label below this: `x.localhost`. */
  readonly workersDomain: string
}

/** The routes of one account, by host. Never changes. */
export class AccountRoutes<T> {
  readonly id: string
  readonly options: AccountOptions
  readonly leaves: readonly Leaf<T>[]
  readonly exact = new Map<string, Trie<T>>()
  /** By the name that they are below. */
  readonly wildcards = new Map<string, Trie<T>>()
  /** Routes without a host. */
  readonly hostless: Trie<T> | undefined

  /** @throws SkerryError ERR_GATEWAY_FILE if a route is wrong */
  constructor(id: string, entries: readonly GatewayEntry<T>[], options: AccountOptions) {
    this.id = id
    this.options = options
    this.leaves = entries.flatMap((entry, order) => {
      const { match } = entry.route
      const patterns = (typeof match === 'string' ? [match] : match).flatMap(text =>
        parsePatterns(text, options.paths),
      )
      return toLeaves(entry, patterns, order)
    })
    for (const leaf of this.leaves) {
      const { host } = leaf.pattern
      if (!host) {
        this.hostless ??= new Trie()
        this.hostless.add(leaf)
      } else getOrCreate(host.isWildcard ? this.wildcards : this.exact, host.name).add(leaf)
    }
    for (const trie of [...this.exact.values(), ...this.wildcards.values()]) trie.seal()
    this.hostless?.seal()
  }

  /** What is tried for an exact host (`api.example.com`) or below a name (`*.example.com`), in order. */
  triesFor(name: string, isWildcard: boolean): readonly Trie<T>[] {
    const exact = isWildcard ? undefined : this.exact.get(name)
    const tries = exact ? [exact] : []
    const from = isWildcard ? 0 : name.indexOf('.') + 1
    for (let at = from; at > 0 || (at === 0 && isWildcard); at = nextLabel(name, at)) {
      const trie = this.wildcards.get(name.slice(at))
      if (trie) tries.push(trie)
    }
    if (this.hostless) tries.push(this.hostless)
    return tries
  }
}

/** Where the next label begins, or −1. */
function nextLabel(name: string, at: number): number {
  const dot = name.indexOf('.', at)
  return dot < 0 ? -1 : dot + 1
}

function getOrCreate<T>(tries: Map<string, Trie<T>>, name: string): Trie<T> {
  const known = tries.get(name)
  if (known) return known
  const trie = new Trie<T>()
  tries.set(name, trie)
  return trie
}
