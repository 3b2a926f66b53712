import { AccountGate, type AdmissionLimits, ScriptGate } from '../src/core/admission.ts'
import { hashScript } from '../src/core/board.ts'
import { LIMITS } from '../src/core/limits.ts'
import type { AccountChanges, HostRoute, ScriptEntry, ScriptTarget } from '../src/core/routing.ts'
import { parseRoutePattern, type RoutePattern } from './pattern.ts'

/** What a URL leads to. */
export type RouteMatch =
  | { readonly kind: 'script'; readonly target: ScriptTarget }
  | { readonly kind: 'preview'; readonly target: ScriptTarget; readonly prefix: string }

interface AccountRoutes {
  readonly accountId: string
  readonly workersDomain: string
  readonly revision: number
  readonly scripts: Map<string, ScriptTarget>
  readonly routes: readonly HostRoute[]
  readonly gate: AccountGate
}

/** Which scripts of an account answer on their own host and on those of their versions. */
type ScriptHosts = (script: string) => boolean

interface PathRoute extends RoutePattern {
  readonly customDomain: boolean
  readonly match: Extract<RouteMatch, { kind: 'script' }> | undefined
}

interface HostSlot {
  /** What answers when no route does. */
  script?: Extract<RouteMatch, { kind: 'script' }>
  /** Most specific first. */
  routes: PathRoute[]
}

/**
 * Host and path → script, for all accounts. Pure: fed by `apply`, asked by `match`.
 *
 * Exact hosts come before wildcards, longer wildcards before shorter, longer paths before shorter, exact paths
 * before open ones, routes before custom domains, both before the script's own host name.
 */
export class RouteTable {
  readonly #accounts = new Map<string, AccountRoutes>()
  readonly #exact = new Map<string, HostSlot>()
  readonly #wildcard = new Map<string, HostSlot>()
  readonly #scriptHosts = new Map<string, ScriptHosts>()

  /** Says which scripts of an account answer on `<script>.<domain>`; all do until this is called. */
  setScriptHosts(accountId: string, answers: ScriptHosts): void {
    this.#scriptHosts.set(accountId, answers)
    const account = this.#accounts.get(accountId)
    for (const target of account?.scripts.values() ?? []) this.#bindScriptHost(target, account?.workersDomain)
  }

  /** The revision held of an account; 0 = nothing. */
  revision(accountId: string): number {
    return this.#accounts.get(accountId)?.revision ?? 0
  }

  /** The revision held of every account. */
  revisions(): Record<string, number> {
    return Object.fromEntries([...this.#accounts].map(([id, { revision }]) => [id, revision]))
  }

  /** Whether changes follow what is held, so that `apply` gives a whole picture. */
  follows(changes: AccountChanges): boolean {
    return changes.from === 0 || changes.from <= this.revision(changes.accountId)
  }

  /** Takes changes in; older ones than what is held are ignored. */
  apply(changes: AccountChanges): void {
    const { accountId, workersDomain } = changes
    const before = this.#accounts.get(accountId)
    if (before && changes.to < before.revision) return
    const scripts = before?.scripts ?? new Map<string, ScriptTarget>()
    const present = new Set(changes.scripts.map(({ name }) => name))
    const removed =
      changes.from === 0 ? [...scripts.keys()].filter(name => !present.has(name)) : changes.removed
    for (const name of removed) {
      const gone = scripts.get(name)
      // Its isolates see by it that nothing leads to them any more.
      if (gone) gone.entry = { ...gone.entry, versions: [] }
      scripts.delete(name)
      this.#unbindScriptHost(`${name}.${workersDomain}`)
    }
    const gate = before?.gate ?? new AccountGate(ADMISSION)
    for (const entry of changes.scripts) this.#applyScript(scripts, accountId, workersDomain, gate, entry)

    const routes = changes.routes ?? before?.routes ?? []
    this.#accounts.set(accountId, { accountId, workersDomain, revision: changes.to, scripts, routes, gate })
    if (changes.routes) this.#rebuildRoutes()
    else if (
      removed.length > 0 ||
      changes.scripts.some(({ name }) => routes.some(({ script }) => script === name))
    ) {
      this.#rebuildRoutes()
    }
  }

  /** The script of an account by name, for service bindings and events. */
  script(accountId: string, name: string): ScriptTarget | undefined {
    return this.#accounts.get(accountId)?.scripts.get(name)
  }

  /** Whether any account has something on this host; the platform's own API is on hosts that it hasn't. */
  serves(host: string): boolean {
    return (
      this.#exact.has(host) || this.#preview(host) !== undefined || this.#wildcardSlot(host) !== undefined
    )
  }

  /**
   * What a request leads to.
   *
   * @param host lower case, without port
   * @param path begins with `/`, without query
   */
  match(host: string, path: string): RouteMatch | undefined {
    const slot = this.#exact.get(host)
    if (slot) {
      if (slot.routes.length > 0) {
        for (const route of slot.routes) if (matchesPath(route, path)) return route.match
      }
      if (slot.script) return slot.script
    }
    for (let wild = this.#wildcardSlot(host); wild; wild = undefined) {
      for (const route of wild.routes) if (matchesPath(route, path)) return route.match
    }
    return slot ? undefined : this.#preview(host)
  }

  #applyScript(
    scripts: Map<string, ScriptTarget>,
    accountId: string,
    workersDomain: string,
    gate: AccountGate,
    entry: ScriptEntry,
  ): void {
    const sole = entry.versions.length === 1 ? entry.versions[0] : undefined
    let target = scripts.get(entry.name)
    if (target) {
      target.entry = entry
      target.sole = sole
    } else {
      const { name } = entry
      const hash = hashScript(accountId, name)
      target = { accountId, name, hash, entry, sole, gate: new ScriptGate(gate) }
      scripts.set(entry.name, target)
    }
    this.#bindScriptHost(target, workersDomain)
  }

  #bindScriptHost(target: ScriptTarget, workersDomain: string | undefined): void {
    const { entry } = target
    const host = `${entry.name}.${workersDomain}`
    if (entry.workersDev && entry.versions.length > 0 && this.#hasHost(target))
      this.#slot(this.#exact, host).script = { kind: 'script', target }
    else this.#unbindScriptHost(host)
  }

  #hasHost({ accountId, name }: ScriptTarget): boolean {
    return this.#scriptHosts.get(accountId)?.(name) ?? true
  }

  #unbindScriptHost(host: string): void {
    const slot = this.#exact.get(host)
    if (!slot) return
    delete slot.script
    if (slot.routes.length === 0) this.#exact.delete(host)
  }

  /** Routes change rarely and are few beside scripts; so all are laid anew. */
  #rebuildRoutes(): void {
    for (const [host, slot] of this.#exact) {
      slot.routes = []
      if (!slot.script) this.#exact.delete(host)
    }
    this.#wildcard.clear()
    for (const account of this.#accounts.values()) {
      for (const { pattern, script, customDomain } of account.routes) {
        const target = script === null ? undefined : account.scripts.get(script)
        if (script !== null && !target) continue
        const parsed = parseRoutePattern(pattern)
        const route: PathRoute = { ...parsed, customDomain, match: target && { kind: 'script', target } }
        if (!parsed.host.startsWith('*.')) this.#slot(this.#exact, parsed.host).routes.push(route)
        else {
          this.#slot(this.#wildcard, parsed.host.slice(2)).routes.push(route)
          if (parsed.includesApex) this.#slot(this.#exact, parsed.host.slice(2)).routes.push(route)
        }
      }
    }
    for (const slot of [...this.#exact.values(), ...this.#wildcard.values()]) slot.routes.sort(bySpecificity)
  }

  #slot(slots: Map<string, HostSlot>, host: string): HostSlot {
    let slot = slots.get(host)
    if (!slot) {
      slot = { routes: [] }
      slots.set(host, slot)
    }
    return slot
  }

  #wildcardSlot(host: string): HostSlot | undefined {
    if (this.#wildcard.size === 0) return undefined
    for (let dot = host.indexOf('.'); dot >= 0; dot = host.indexOf('.', dot + 1)) {
      const slot = this.#wildcard.get(host.slice(dot + 1))
      if (slot) return slot
    }
    return undefined
  }

  #preview(host: string): RouteMatch | undefined {
    const [, prefix, rest] = /^([0-9a-f]{8})-(.+)$/.exec(host) ?? []
    if (!prefix || !rest) return undefined
    const dot = rest.indexOf('.')
    const domain = rest.slice(dot + 1)
    for (const account of this.#accounts.values()) {
      if (account.workersDomain !== domain) continue
      const target = account.scripts.get(rest.slice(0, dot))
      return target?.entry.previews && this.#hasHost(target) ? { kind: 'preview', target, prefix } : undefined
    }
    return undefined
  }
}

/** Nothing counted outlasts `wallClockMs`. */
const ADMISSION: AdmissionLimits = {
  concurrency: LIMITS.concurrency,
  accountConcurrency: LIMITS.accountConcurrency,
  queueLength: LIMITS.queueLength,
  queueMs: LIMITS.queueMs,
}

function matchesPath(route: RoutePattern, path: string): boolean {
  return route.open ? path.startsWith(route.path) : path === route.path
}

function bySpecificity(a: PathRoute, b: PathRoute): number {
  return (
    b.path.length - a.path.length ||
    Number(a.open) - Number(b.open) ||
    Number(a.customDomain) - Number(b.customDomain)
  )
}
