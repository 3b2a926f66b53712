import { DurableObject } from 'cloudflare:workers'
import { SkerryError } from '../core/errors.ts'
import type { Manifest, SecretBinding, StoredBinding } from '../core/manifest.ts'
import type { AccountChanges, EdgeVersion, ScriptEntry } from '../core/routing.ts'
import type { StateEnv } from '../env.ts'
import { edgeRoles } from '../roles.ts'
import {
  currentDeployment,
  deleteDeployments,
  DEPLOYMENTS_SCHEMA,
  type DeploymentRecord,
  insertDeployment,
  listDeployments,
  type Share,
} from './deployments.ts'
import {
  createKvNamespace,
  deleteKvNamespace,
  getKvNamespace,
  KV_NAMESPACES_SCHEMA,
  type KvNamespaceRecord,
  listKvNamespaces,
  renameKvNamespace,
} from './kv-namespaces.ts'
import {
  deleteDomain,
  deleteRoute,
  deleteRoutesOf,
  insertRoute,
  listRoutes,
  type NewRoute,
  type RouteRecord,
  ROUTES_SCHEMA,
  usesHost,
} from './routes.ts'
import { migrate } from './schema.ts'
import {
  deleteScript,
  findScript,
  listRemovedSince,
  listScripts,
  listScriptsSince,
  type ScriptRecord,
  SCRIPTS_SCHEMA,
  type ScriptSettings,
  touchScript,
  updateScript,
} from './scripts.ts'
import { checkServices } from './services.ts'
import {
  type Author,
  countVersions,
  deleteVersions,
  findVersion,
  findVersionByPrefix,
  type InheritBinding,
  insertVersion,
  isolateDigest,
  knownModules,
  latestVersion,
  listVersions,
  mergeBindings,
  type VersionRecord,
  VERSIONS_SCHEMA,
} from './versions.ts'

/** A new version, as the control plane brings it: probed, its modules stored, its secrets encrypted. */
export interface NewVersion {
  readonly manifest: Omit<Manifest, 'bindings'>
  readonly bindings: readonly (StoredBinding | InheritBinding)[]
  /** Binding types kept from the previous version. */
  readonly keepTypes: readonly string[]
  readonly annotations: Readonly<Record<string, string>>
  readonly source: string
  readonly author: Author
  /** Also send all traffic to it. */
  readonly deploy: boolean
  readonly settings?: ScriptSettings
}

/** Secrets to set, or to delete where `null`. */
export interface SecretChange {
  readonly secrets: Readonly<Record<string, SecretBinding | null>>
  readonly annotations: Readonly<Record<string, string>>
  readonly author: Author
  /** Deploy the resulting version; then the latest version must be the deployed one. */
  readonly deploy: boolean
}

/**
 * One account's registry: all that is deployed in it.
 *
 * Every change is one transaction that raises the revision, and is pushed to the edges before it is
 * acknowledged. Methods throw `SkerryError`s.
 */
export class Account extends DurableObject<StateEnv> {
  readonly #sql: SqlStorage
  #identity: { id: string; workersDomain: string } | undefined

  constructor(ctx: DurableObjectState, env: StateEnv) {
    super(ctx, env)
    this.#sql = ctx.storage.sql
    migrate(ctx.storage, [
      [
        'CREATE TABLE meta (key TEXT PRIMARY KEY, value)',
        SCRIPTS_SCHEMA,
        VERSIONS_SCHEMA,
        DEPLOYMENTS_SCHEMA,
        ROUTES_SCHEMA,
        KV_NAMESPACES_SCHEMA,
      ].join(';'),
    ])
  }

  /** Tells the object whose it is; called by the control plane and by the snapshot before anything else. */
  identify(id: string, workersDomain: string): void {
    this.#identity = { id, workersDomain }
    this.#sql.exec(
      "INSERT OR REPLACE INTO meta VALUES ('account_id', ?), ('workers_domain', ?)",
      id,
      workersDomain,
    )
  }

  // Scripts

  getScript(name: string): ScriptRecord | undefined {
    return findScript(this.#sql, name)
  }

  listScripts(): ScriptRecord[] {
    return listScripts(this.#sql)
  }

  /** @throws ERR_SCRIPT_NOT_FOUND */
  updateScript(name: string, change: ScriptSettings): Promise<ScriptRecord> {
    return this.#commit(revision => {
      this.#requireScript(name)
      touchScript(this.#sql, name, revision, Date.now())
      updateScript(this.#sql, name, change)
      return this.#requireScript(name)
    })
  }

  /** Edges load the script with a log reader attached until then; 0 ends it. */
  async setTailing(name: string, untilMs: number): Promise<void> {
    if (this.#requireScript(name).tailing_until_ms !== untilMs)
      await this.updateScript(name, { tailingUntilMs: untilMs })
  }

  /** Removes script, versions, deployments and routes. @throws ERR_SCRIPT_NOT_FOUND */
  deleteScript(name: string): Promise<void> {
    return this.#commit(revision => {
      this.#requireScript(name)
      deleteRoutesOf(this.#sql, name)
      deleteDeployments(this.#sql, name)
      deleteVersions(this.#sql, name)
      deleteScript(this.#sql, name, revision)
      this.#routesChanged(revision)
    })
  }

  // Versions

  /** Which of these module digests need no upload. */
  knownModules(digests: readonly string[]): string[] {
    return knownModules(this.#sql, digests)
  }

  getVersion(script: string, id: string): VersionRecord | undefined {
    return findVersion(this.#sql, script, id.toLowerCase())
  }

  latestVersion(script: string): VersionRecord | undefined {
    return latestVersion(this.#sql, script)
  }

  listVersions(script: string, limit: number, offset: number): { items: VersionRecord[]; total: number } {
    this.#requireScript(script)
    return { items: listVersions(this.#sql, script, limit, offset), total: countVersions(this.#sql, script) }
  }

  /** The version a preview host names, as an edge runs it. */
  findPreview(script: string, prefix: string): EdgeVersion | undefined {
    const version = findVersionByPrefix(this.#sql, script, prefix)
    return version && toEdgeVersion(version, 100)
  }

  /**
   * Adds a version, and deploys it where asked, in one transaction.
   *
   * @throws ERR_BINDING_INHERIT, ERR_SERVICE_TARGET, ERR_SERVICE_ENTRYPOINT, ERR_KV_NAMESPACE_NOT_FOUND
   */
  async addVersion(script: string, upload: NewVersion): Promise<VersionRecord> {
    return this.#addVersion(script, upload, previous =>
      mergeBindings(previous?.manifest.bindings ?? [], upload.bindings, upload.keepTypes),
    )
  }

  /**
   * Sets and deletes secrets by making a version that differs from the latest only in them.
   *
   * @throws ERR_SCRIPT_NOT_FOUND, ERR_SECRET_UNDEPLOYED, ERR_SECRET_NOT_FOUND
   */
  async changeSecrets(script: string, change: SecretChange): Promise<VersionRecord> {
    const latest = latestVersion(this.#sql, script)
    if (!latest) throw scriptNotFound()
    return this.#addVersion(script, { ...latest, ...change, source: 'api' }, previous => {
      if (!previous) throw scriptNotFound()
      const live = currentDeployment(this.#sql, script)?.versions ?? []
      if (change.deploy && live.length > 0 && !live.some(({ version_id }) => version_id === previous.id)) {
        throw new SkerryError(
          'ERR_SECRET_UNDEPLOYED',
          'Secret edit failed. You attempted to modify a secret, but the latest version of your Worker isn\'t currently deployed. Please ensure that the latest version of your Worker is fully deployed (wrangler versions deploy) before modifying secrets. Alternatively, you can use the "wrangler versions secret" commands to modify secrets on the latest version.',
        )
      }
      return applySecrets(previous.manifest.bindings, change.secrets)
    })
  }

  // Deployments

  /** Newest first; the first is in force. @throws ERR_SCRIPT_NOT_FOUND */
  listDeployments(script: string, limit: number): DeploymentRecord[] {
    this.#requireScript(script)
    return listDeployments(this.#sql, script, limit)
  }

  /** Gives versions their shares of the traffic. @throws ERR_SCRIPT_NOT_FOUND, ERR_VERSION_NOT_FOUND */
  deploy(
    script: string,
    shares: readonly Share[],
    by: { source: string; author: Author; annotations: Readonly<Record<string, string>> },
  ): Promise<DeploymentRecord> {
    return this.#commit(revision => {
      this.#requireScript(script)
      for (const { version_id } of shares) {
        if (!findVersion(this.#sql, script, version_id)) throw versionNotFound(version_id)
      }
      return this.#insertDeployment(script, shares, by, revision)
    })
  }

  // Routes and custom domains; their hosts are claimed in the Directory first.

  listRoutes(): RouteRecord[] {
    return listRoutes(this.#sql)
  }

  /** Replaces a script's routes by these. @throws ERR_SCRIPT_NOT_FOUND, ERR_ROUTE_TAKEN */
  putRoutes(script: string, routes: readonly NewRoute[]): Promise<RouteRecord[]> {
    return this.#commit(revision => {
      this.#requireScript(script)
      deleteRoutesOf(this.#sql, script, false)
      this.#routesChanged(revision)
      return routes.map(route => insertRoute(this.#sql, route))
    })
  }

  /** Replaces a script's custom domains; `takeOver` moves those of other scripts. @throws as `putRoutes` */
  putDomains(script: string, domains: readonly NewRoute[], takeOver: boolean): Promise<RouteRecord[]> {
    return this.#commit(revision => {
      this.#requireScript(script)
      deleteRoutesOf(this.#sql, script, true)
      if (takeOver) for (const { pattern } of domains) deleteDomain(this.#sql, pattern)
      this.#routesChanged(revision)
      return domains.map(domain => insertRoute(this.#sql, domain))
    })
  }

  /** @throws ERR_SCRIPT_NOT_FOUND, ERR_ROUTE_TAKEN */
  addRoute(route: NewRoute): Promise<RouteRecord> {
    return this.#commit(revision => {
      if (route.script) this.#requireScript(route.script)
      this.#routesChanged(revision)
      return insertRoute(this.#sql, route)
    })
  }

  removeRoute(id: string): Promise<RouteRecord | undefined> {
    return this.#commit(revision => {
      this.#routesChanged(revision)
      return deleteRoute(this.#sql, id)
    })
  }

  /** Whether a claimed host is still on a route. */
  usesHost(host: string): boolean {
    return usesHost(this.#sql, host)
  }

  // KV namespaces

  createKvNamespace(namespace: {
    id: string
    title: string
    prefix: string
    createdOn: string
  }): KvNamespaceRecord {
    return createKvNamespace(this.#sql, namespace)
  }

  listKvNamespaces(): KvNamespaceRecord[] {
    return listKvNamespaces(this.#sql)
  }

  getKvNamespace(id: string): KvNamespaceRecord | undefined {
    return getKvNamespace(this.#sql, id)
  }

  renameKvNamespace(id: string, title: string): KvNamespaceRecord {
    return renameKvNamespace(this.#sql, id, title)
  }

  deleteKvNamespace(id: string): KvNamespaceRecord {
    return deleteKvNamespace(this.#sql, id)
  }

  // Edges

  /** What changed after a revision; 0 = everything. */
  changes(from: number): AccountChanges {
    const { id, workersDomain } = this.#whoami()
    return {
      accountId: id,
      workersDomain,
      from,
      to: this.#number('revision'),
      scripts: listScriptsSince(this.#sql, from).map(script => this.#toEntry(script)),
      removed: from === 0 ? [] : listRemovedSince(this.#sql, from),
      ...((from === 0 || this.#number('routes_revision') > from) && {
        routes: listRoutes(this.#sql).map(({ pattern, script, custom_domain }) => ({
          pattern,
          script,
          customDomain: custom_domain === 1,
        })),
      }),
    }
  }

  #toEntry(script: ScriptRecord): ScriptEntry {
    const shares = currentDeployment(this.#sql, script.name)?.versions ?? []
    return {
      name: script.name,
      workersDev: script.workers_dev === 1,
      previews: script.previews === 1,
      tailingUntilMs: script.tailing_until_ms,
      versions: shares.flatMap(({ version_id, percentage }) => {
        const version = findVersion(this.#sql, script.name, version_id)
        return version ? [toEdgeVersion(version, percentage)] : []
      }),
    }
  }

  /**
   * The digest needs an await, in which another change may slip in: then the merge is done again on what is
   * the latest by now.
   */
  async #addVersion(
    script: string,
    upload: Omit<NewVersion, 'bindings' | 'keepTypes'>,
    merge: (previous: VersionRecord | undefined) => StoredBinding[],
  ): Promise<VersionRecord> {
    const id = crypto.randomUUID()
    const { accountId } = { accountId: this.#whoami().id }
    for (;;) {
      const previous = latestVersion(this.#sql, script)
      const manifest: Manifest = { ...upload.manifest, bindings: merge(previous) }
      const kvPrefixes = this.#kvPrefixes(manifest.bindings)
      checkServices(this.#sql, script, manifest)
      const content = { id, manifest, annotations: upload.annotations, kvPrefixes }
      const isolate = await isolateDigest({ accountId, script }, content)
      if (latestVersion(this.#sql, script)?.id !== previous?.id) continue
      return this.#commit(revision => {
        touchScript(this.#sql, script, revision, Date.now())
        if (upload.settings) updateScript(this.#sql, script, upload.settings)
        insertVersion(
          this.#sql,
          { ...content, script, isolate, source: upload.source, author: upload.author },
          Date.now(),
        )
        if (upload.deploy)
          this.#insertDeployment(script, [{ version_id: id, percentage: 100 }], upload, revision)
        return findVersion(this.#sql, script, id) as VersionRecord
      })
    }
  }

  #insertDeployment(
    script: string,
    shares: readonly Share[],
    by: { source: string; author: Author; annotations: Readonly<Record<string, string>> },
    revision: number,
  ): DeploymentRecord {
    const { source, author, annotations } = by
    touchScript(this.#sql, script, revision, Date.now())
    const deployment = { id: crypto.randomUUID(), script, source, author, annotations, versions: [...shares] }
    insertDeployment(this.#sql, deployment, Date.now())
    return currentDeployment(this.#sql, script) as DeploymentRecord
  }

  #kvPrefixes(bindings: readonly StoredBinding[]): Record<string, string> {
    const prefixes: Record<string, string> = {}
    for (const binding of bindings) {
      if (binding.type !== 'kv_namespace') continue
      const namespace = getKvNamespace(this.#sql, binding.namespace_id)
      if (!namespace) {
        throw new SkerryError(
          'ERR_KV_NAMESPACE_MISSING',
          `KV namespace '${binding.namespace_id}' of the binding '${binding.name}' is not valid: the account has no namespace with that id.`,
        )
      }
      prefixes[binding.namespace_id] = namespace.prefix
    }
    return prefixes
  }

  async #commit<T>(change: (revision: number) => T): Promise<T> {
    const { value, from } = this.ctx.storage.transactionSync(() => {
      const from = this.#number('revision')
      this.#set('revision', from + 1)
      return { value: change(from + 1), from }
    })
    await this.#push(this.changes(from))
    return value
  }

  /** An edge that can't be reached reads everything when it is back, so it holds nobody up. */
  async #push(changes: AccountChanges): Promise<void> {
    const giveUp = new Promise<void>(resolve => setTimeout(resolve, PUSH_TIMEOUT_MS))
    const pushes = edgeRoles(this.env, this.ctx.exports).map(edge => edge.apply(changes))
    await Promise.race([Promise.allSettled(pushes), giveUp])
  }

  #routesChanged(revision: number): void {
    this.#set('routes_revision', revision)
  }

  #requireScript(name: string): ScriptRecord {
    const script = findScript(this.#sql, name)
    if (!script) throw scriptNotFound()
    return script
  }

  #whoami(): { id: string; workersDomain: string } {
    this.#identity ??= {
      id: String(this.#read('account_id')),
      workersDomain: String(this.#read('workers_domain')),
    }
    return this.#identity
  }

  #read(key: string): SqlStorageValue | undefined {
    return this.#sql.exec('SELECT value FROM meta WHERE key = ?', key).toArray()[0]?.value
  }

  #number(key: string): number {
    return Number(this.#read(key) ?? 0)
  }

  #set(key: string, value: number): void {
    this.#sql.exec('INSERT OR REPLACE INTO meta VALUES (?, ?)', key, value)
  }
}

/** Pushing a change waits no longer than this for an edge. */
const PUSH_TIMEOUT_MS = 2000

/** Cloudflare's words and code; wrangler acts on them. */
export function scriptNotFound(): SkerryError {
  return new SkerryError('ERR_SCRIPT_NOT_FOUND', 'This Worker does not exist on your account.')
}

/** @see scriptNotFound */
export function versionNotFound(id: string): SkerryError {
  return new SkerryError('ERR_VERSION_NOT_FOUND', `The script has no version "${id}".`)
}

function toEdgeVersion(version: VersionRecord, percentage: number): EdgeVersion {
  const { manifest } = version
  const main = manifest.exports.find(({ name }) => name === 'default')
  return {
    id: version.id,
    isolate: version.isolate,
    percentage,
    reads: manifest.reads,
    hasFetch: main?.handlers.includes('fetch') ?? false,
  }
}

function applySecrets(bindings: readonly StoredBinding[], secrets: SecretChange['secrets']): StoredBinding[] {
  for (const [name, secret] of Object.entries(secrets)) {
    const present = bindings.find(binding => binding.name === name)
    if (secret === null && present?.type !== 'secret_text') {
      throw new SkerryError('ERR_SECRET_NOT_FOUND', `Secret not found: the script has no secret "${name}".`)
    }
    if (secret && present && present.type !== 'secret_text') {
      throw new SkerryError(
        'ERR_BINDING_TAKEN',
        `Binding name '${name}' already in use. Please use a different name and try again.`,
      )
    }
  }
  const set = Object.values(secrets).filter(secret => secret !== null)
  return [...bindings.filter(({ name }) => !Object.hasOwn(secrets, name)), ...set]
}
