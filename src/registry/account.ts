import { DurableObject } from 'cloudflare:workers'
import { createApiKeySecret } from '../core/api-key-text.ts'
import type { PurgeTarget } from '../core/gateway.ts'
import type { SecretBinding, StoredBinding } from '../core/manifest.ts'
import type { ResourceKind } from '../core/resources.ts'
import type { AccountChanges, EdgeVersion } from '../core/routing.ts'
import { turnPolicy } from '../core/turn-limit.ts'
import type { StateEnv } from '../env.ts'
import { followers, objectsRole } from '../roles.ts'
import { addStrike } from './add-strike.ts'
import { type AddedVersion, addVersion } from './add-version.ts'
import * as apiKeys from './api-keys.ts'
import * as assets from './assets.ts'
import { readChanges, toEdgeVersion } from './changes.ts'
import { type DeploymentNote, deploy } from './deploy.ts'
import * as deployments from './deployments.ts'
import { deleteDoomedNamespaces, noteNamespaces } from './doomed-namespaces.ts'
import * as gateway from './gateway.ts'
import * as kv from './kv-namespaces.ts'
import { Ledger } from './ledger.ts'
import { ACCOUNT_MIGRATIONS } from './migrations.ts'
import {
  type NewVersion,
  planSecrets,
  planTurnLimit,
  planUpload,
  type SecretChange,
  type TurnLimitChange,
} from './new-version.ts'
import * as namespaces from './object-namespaces.ts'
import { insertPurges } from './purges.ts'
import { listReferences, type ScriptReferences } from './references.ts'
import * as resources from './resources.ts'
import * as routes from './routes.ts'
import { migrate } from './schema.ts'
import * as scripts from './scripts.ts'
import * as strikes from './strikes.ts'
import { checkTailConsumers } from './tail-consumers.ts'
import * as versions from './versions.ts'

/**
 * One account's registry: all that is deployed in it.
 *
 * Every change is one transaction that raises the revision, and is pushed to the edges before it is
 * acknowledged. Methods throw `SkerryError`s.
 */
export class Account extends DurableObject<StateEnv> {
  readonly #sql: SqlStorage
  readonly #ledger: Ledger

  constructor(ctx: DurableObjectState, env: StateEnv) {
    super(ctx, env)
    migrate(ctx.storage, ACCOUNT_MIGRATIONS)
    this.#sql = ctx.storage.sql
    this.#ledger = new Ledger(
      ctx.storage,
      from => this.changes(from),
      () => followers(env, ctx.exports),
    )
  }

  /** Tells the object whose it is; called by the control plane and by the snapshot before anything else. */
  identify(id: string, workersDomain: string): void {
    this.#ledger.meta.set('account_id', id)
    this.#ledger.meta.set('workers_domain', workersDomain)
  }

  // Scripts

  getScript(name: string): scripts.ScriptRecord | undefined {
    return scripts.findScript(this.#sql, name)
  }

  listScripts(): scripts.ScriptRecord[] {
    return scripts.listScripts(this.#sql)
  }

  /** @throws ERR_SCRIPT_NOT_FOUND, ERR_TAIL_CONSUMER */
  updateScript(name: string, change: scripts.ScriptSettings): Promise<scripts.ScriptRecord> {
    return this.#ledger.commit(revision => {
      scripts.requireScript(this.#sql, name)
      checkTailConsumers(this.#sql, name, change)
      scripts.touchScript(this.#sql, name, revision, Date.now())
      scripts.updateScript(this.#sql, name, change)
      return scripts.requireScript(this.#sql, name)
    })
  }

  /** Edges load the script with a log reader attached until then; 0 ends it. */
  async setTailing(name: string, untilMs: number): Promise<void> {
    const { tailing_until_ms: presentMs } = scripts.requireScript(this.#sql, name)
    if (presentMs !== untilMs) await this.updateScript(name, { tailingUntilMs: untilMs })
  }

  /** Removes script, versions, deployments, routes, and its Durable Objects with all they stored. @throws ERR_SCRIPT_NOT_FOUND */
  deleteScript(name: string): Promise<void> {
    return this.#ledger.commit(revision => {
      scripts.requireScript(this.#sql, name)
      if (namespaces.deleteNamespacesOf(this.#sql, name)) noteNamespaces(this.#ledger, revision)
      routes.deleteRoutesOf(this.#sql, name)
      deployments.deleteDeployments(this.#sql, name)
      versions.deleteVersions(this.#sql, name)
      strikes.clearStrikes(this.#sql, name)
      scripts.deleteScript(this.#sql, name, revision)
      this.#ledger.meta.set('routes_revision', revision)
    })
  }

  // Strikes and quarantine

  /**
   * Takes a strike in; the same one again changes nothing. One of a script or version that is gone is ignored.
   *
   * @returns whether the script as deployed, or the struck version's preview, is in quarantine now
   */
  async addStrike(script: string, strike: strikes.Strike): Promise<{ quarantined: boolean }> {
    await addStrike(this.#ledger, script, strike, strikes.strikePolicy(this.env))
    return { quarantined: this.listQuarantines(script).length > 0 }
  }

  /** Newest first, at most `LIMITS.strikesKept`. */
  listStrikes(script: string): strikes.StrikeRecord[] {
    return strikes.listStrikes(this.#sql, script)
  }

  /** The quarantines in force, of one script or all. */
  listQuarantines(script?: string): strikes.QuarantineRecord[] {
    return strikes.listQuarantines(this.#sql, Date.now(), script)
  }

  /** Ends a script's quarantines and forgets its strikes. @throws ERR_SCRIPT_NOT_FOUND */
  releaseScript(name: string): Promise<void> {
    return this.#ledger.commit(revision => {
      scripts.requireScript(this.#sql, name)
      strikes.clearStrikes(this.#sql, name)
      scripts.reviseScript(this.#sql, name, revision)
    })
  }

  // Versions

  /** Which of these module digests need no upload. */
  knownModules(digests: readonly string[]): string[] {
    return versions.knownModules(this.#sql, digests)
  }

  getVersion(script: string, id: string): versions.VersionRecord | undefined {
    return versions.findVersion(this.#sql, script, id.toLowerCase())
  }

  latestVersion(script: string): versions.VersionRecord | undefined {
    return versions.latestVersion(this.#sql, script)
  }

  listVersions(
    script: string,
    limit: number,
    offset: number,
  ): { items: versions.VersionRecord[]; total: number } {
    scripts.requireScript(this.#sql, script)
    return {
      items: versions.listVersions(this.#sql, script, limit, offset),
      total: versions.countVersions(this.#sql, script),
    }
  }

  /** A version by its id, the first 8 digits of it, or its tag (the newest), as an edge runs it. */
  findVersion(script: string, wanted: string): EdgeVersion | undefined {
    const version = versions.findVersionByName(this.#sql, script, wanted)
    return version && toEdgeVersion(version, 100, turnPolicy(this.env))
  }

  /**
   * Adds a version, and deploys it where asked, in one transaction.
   *
   * @throws ERR_BINDING_INHERIT, ERR_SERVICE_TARGET, ERR_SERVICE_ENTRYPOINT, ERR_TAIL_CONSUMER, ERR_OBJECT_*, and
   * as `requireResources`
   */
  addVersion(script: string, upload: NewVersion): Promise<AddedVersion> {
    return addVersion(this.#ledger, script, upload, previous =>
      planUpload(this.#sql, script, upload, previous),
    )
  }

  /**
   * Sets and deletes secrets by making a version that differs from the latest only in them.
   *
   * @throws ERR_SCRIPT_NOT_FOUND, ERR_SECRET_UNDEPLOYED, ERR_SECRET_NOT_FOUND, ERR_BINDING_TAKEN
   */
  changeSecrets(script: string, change: SecretChange): Promise<versions.VersionRecord> {
    return addVersion(this.#ledger, script, { ...change, source: 'api' }, previous =>
      planSecrets(this.#sql, script, change, previous),
    )
  }

  /**
   * Sets how long a turn may be, by deploying a version that differs from the latest only in that.
   *
   * @throws ERR_SCRIPT_NOT_FOUND, ERR_SETTINGS_UNDEPLOYED, ERR_TAIL_CONSUMER
   */
  changeTurnLimit(script: string, change: TurnLimitChange): Promise<versions.VersionRecord> {
    return addVersion(this.#ledger, script, { ...change, source: 'api', deploy: true }, previous => {
      checkTailConsumers(this.#sql, script, change.settings)
      return planTurnLimit(this.#sql, script, change, previous)
    })
  }

  // Deployments

  /** Newest first; the first is in force. @throws ERR_SCRIPT_NOT_FOUND */
  listDeployments(script: string, limit: number): deployments.DeploymentRecord[] {
    scripts.requireScript(this.#sql, script)
    return deployments.listDeployments(this.#sql, script, limit)
  }

  /**
   * Gives versions their shares of the traffic.
   *
   * @throws ERR_SCRIPT_NOT_FOUND, ERR_VERSION_NOT_FOUND, ERR_OBJECT_CLASS_MISSING
   */
  deploy(
    script: string,
    shares: readonly deployments.Share[],
    note: DeploymentNote,
  ): Promise<deployments.DeploymentRecord> {
    return this.#ledger.commit(revision => deploy(this.#sql, script, shares, note, revision))
  }

  // Routes and custom domains; their hosts are claimed in the Directory first.

  listRoutes(): routes.RouteRecord[] {
    return routes.listRoutes(this.#sql)
  }

  /** Replaces a script's routes by these. @throws ERR_SCRIPT_NOT_FOUND, ERR_ROUTE_TAKEN */
  putRoutes(script: string, wanted: readonly routes.NewRoute[]): Promise<routes.RouteRecord[]> {
    return this.#changeRoutes(script, () => routes.replaceRoutes(this.#sql, script, wanted, false))
  }

  /** Replaces a script's custom domains; `takeOver` moves those of other scripts. @throws as `putRoutes` */
  putDomains(
    script: string,
    domains: readonly routes.NewRoute[],
    takeOver: boolean,
  ): Promise<routes.RouteRecord[]> {
    return this.#changeRoutes(script, () => {
      if (takeOver) for (const { pattern } of domains) routes.deleteDomain(this.#sql, pattern)
      return routes.replaceRoutes(this.#sql, script, domains, true)
    })
  }

  /** @throws ERR_SCRIPT_NOT_FOUND, ERR_ROUTE_TAKEN */
  addRoute(route: routes.NewRoute): Promise<routes.RouteRecord> {
    return this.#changeRoutes(route.script, () => routes.insertRoute(this.#sql, route))
  }

  removeRoute(id: string): Promise<routes.RouteRecord | undefined> {
    return this.#changeRoutes(null, () => routes.deleteRoute(this.#sql, id))
  }

  /** Whether a claimed host is still on a route, a custom domain or a route of the gateway. */
  usesHost(host: string): boolean {
    return routes.usesHost(this.#sql, host) || gateway.gatewayUsesHost(this.#sql, host)
  }

  // KV namespaces

  createKvNamespace(namespace: kv.NewKvNamespace): kv.KvNamespaceRecord {
    return kv.createKvNamespace(this.#sql, namespace)
  }

  listKvNamespaces(): kv.KvNamespaceRecord[] {
    return kv.listKvNamespaces(this.#sql)
  }

  getKvNamespace(id: string): kv.KvNamespaceRecord | undefined {
    return kv.getKvNamespace(this.#sql, id)
  }

  renameKvNamespace(id: string, title: string): kv.KvNamespaceRecord {
    return kv.renameKvNamespace(this.#sql, id, title)
  }

  deleteKvNamespace(id: string): kv.KvNamespaceRecord {
    return kv.deleteKvNamespace(this.#sql, id)
  }

  // Static files: which are stored, by the hash that their clients know them by.

  /** What is known already stays as it is. */
  addAssets(files: readonly assets.AssetRecord[]): void {
    this.ctx.storage.transactionSync(() => assets.insertAssets(this.#sql, files))
  }

  findAssets(hashes: readonly string[]): assets.AssetRecord[] {
    return assets.findAssets(this.#sql, hashes)
  }

  /** Whether a file is stored for each of the hashes; quickest where one of the first is missing. */
  hasAssets(hashes: readonly string[]): boolean {
    return assets.hasAssets(this.#sql, hashes)
  }

  /** Those of the hashes that no file is stored for. */
  missingAssets(hashes: readonly string[]): string[] {
    return assets.missingAssets(this.#sql, hashes)
  }

  // Databases, buckets, queues and workflows: names only. What they hold is with the objects of their `object` ids.

  /** @throws ERR_RESOURCE_TAKEN */
  createResource(resource: resources.ResourceRecord): resources.ResourceRecord {
    return resources.insertResource(this.#sql, resource)
  }

  listResources(kind: ResourceKind): resources.ResourceRecord[] {
    return resources.listResources(this.#sql, kind)
  }

  /** Which scripts, as they are deployed, bind which object of a kind. */
  listBinders(kind: ResourceKind): { script: string; object: string }[] {
    return resources.listBinders(this.#sql, kind)
  }

  /** By id or name. */
  findResource(kind: ResourceKind, idOrName: string): resources.ResourceRecord | undefined {
    return resources.findResource(this.#sql, kind, idOrName)
  }

  /**
   * Refuses bindings that name what the account doesn't have.
   *
   * @throws ERR_KV_NAMESPACE_MISSING, ERR_D1_MISSING, ERR_R2_BUCKET_MISSING, ERR_QUEUE_NOT_FOUND,
   * ERR_WORKFLOW_NOT_FOUND
   */
  requireResources(script: string, bindings: readonly StoredBinding[]): void {
    kv.resolveKvPrefixes(this.#sql, bindings)
    resources.resolveResources(this.#sql, script, bindings)
  }

  /** @throws ERR_D1_NOT_FOUND, ERR_R2_BUCKET_NOT_FOUND, ERR_QUEUE_NOT_FOUND, ERR_RESOURCE_TAKEN */
  renameResource(kind: ResourceKind, id: string, name: string): resources.ResourceRecord {
    return resources.renameResource(this.#sql, kind, id, name)
  }

  /** @throws ERR_D1_NOT_FOUND, ERR_R2_BUCKET_NOT_FOUND, ERR_QUEUE_NOT_FOUND */
  deleteResource(kind: ResourceKind, idOrName: string): resources.ResourceRecord {
    return resources.deleteResource(this.#sql, kind, idOrName)
  }

  // Namespaces of Durable Objects: names only, as before.

  listNamespaces(): namespaces.NamespaceRecord[] {
    return namespaces.listNamespaces(this.#sql)
  }

  findNamespace(id: string): namespaces.NamespaceRecord | undefined {
    return namespaces.findNamespace(this.#sql, id)
  }

  /** Other scripts that use a script: as the home of their objects' class, or as the source of their traces. */
  listReferences(script: string): ScriptReferences {
    return listReferences(this.#sql, script)
  }

  /** Deletes the objects of namespaces that are gone; tries again until they are. */
  override alarm(): Promise<void> {
    const accountId = this.#ledger.meta.text('account_id')
    return deleteDoomedNamespaces(this.#ledger, id =>
      objectsRole(this.env, this.ctx.exports).deleteNamespace(accountId, id),
    )
  }

  // API keys

  /** The key's text is in this answer and nowhere else. @throws ERR_API_KEY_LIMIT */
  async createApiKey(fields: apiKeys.NewApiKey): Promise<apiKeys.CreatedApiKey> {
    const secret = await createApiKeySecret()
    return this.#ledger.commit(revision =>
      apiKeys.insertApiKey(this.#sql, fields, secret, revision, Date.now()),
    )
  }

  /** Newest first; `next` is the `before` of the page that follows. */
  listApiKeys(page: apiKeys.ApiKeyPage): { keys: apiKeys.ApiKeyRecord[]; next: number | undefined } {
    return apiKeys.listApiKeys(this.#sql, page)
  }

  /** @throws ERR_API_KEY_NOT_FOUND */
  getApiKey(id: string): apiKeys.ApiKeyRecord {
    return apiKeys.requireApiKey(this.#sql, id)
  }

  /** @throws ERR_API_KEY_NOT_FOUND */
  updateApiKey(id: string, change: apiKeys.ApiKeyChange): Promise<apiKeys.ApiKeyRecord> {
    return this.#ledger.commit(revision => apiKeys.updateApiKey(this.#sql, id, change, revision))
  }

  /** @throws ERR_API_KEY_NOT_FOUND */
  revokeApiKey(id: string): Promise<apiKeys.ApiKeyRecord> {
    return this.#ledger.commit(revision => apiKeys.revokeApiKey(this.#sql, id, revision, Date.now()))
  }

  /** Makes a new key in its place; the old one stays valid for a while. @throws ERR_API_KEY_NOT_FOUND, ERR_API_KEY_STATE, ERR_API_KEY_LIMIT */
  async rotateApiKey(id: string, rotation: apiKeys.Rotation): Promise<apiKeys.CreatedApiKey> {
    const secret = await createApiKeySecret()
    return this.#ledger.commit(revision =>
      apiKeys.rotateApiKey(this.#sql, id, rotation, secret, revision, Date.now()),
    )
  }

  /** @throws ERR_API_KEY_NOT_FOUND */
  deleteApiKey(id: string): Promise<void> {
    return this.#ledger.commit(revision => apiKeys.deleteApiKey(this.#sql, id, revision))
  }

  // Gateway: the file's hosts are claimed in the Directory first.

  /** The file in force; `undefined` = there is none. */
  getGateway(): gateway.GatewayRevision | undefined {
    return gateway.findGatewayRevision(this.#sql)
  }

  /** The revisions that are kept, newest first. */
  listGatewayRevisions(): gateway.GatewayRevisionEntry[] {
    return gateway.listGatewayRevisions(this.#sql)
  }

  getGatewayRevision(revision: number): gateway.GatewayRevision | undefined {
    return gateway.findGatewayRevision(this.#sql, revision)
  }

  /** Puts a checked file in force. @throws ERR_GATEWAY_CONFLICT, ERR_GATEWAY_SECRET_NOT_FOUND */
  applyGateway(file: gateway.NewGateway): Promise<gateway.GatewayRevisionEntry> {
    return this.#ledger.commit(revision => {
      this.#ledger.meta.set('gateway_revision', revision)
      return gateway.insertGatewayRevision(this.#sql, file, Date.now())
    })
  }

  /** Names and dates, never texts. */
  listGatewaySecrets(): gateway.GatewaySecretEntry[] {
    return gateway.listGatewaySecrets(this.#sql)
  }

  /** Sealed, for checks of files that refer to them. */
  sealedGatewaySecrets(): SecretBinding[] {
    return gateway.sealedGatewaySecrets(this.#sql)
  }

  putGatewaySecret(secret: SecretBinding): Promise<void> {
    return this.#ledger.commit(revision => {
      if (gateway.putGatewaySecret(this.#sql, secret, Date.now()))
        this.#ledger.meta.set('gateway_revision', revision)
    })
  }

  /** @throws ERR_GATEWAY_SECRET_NOT_FOUND, ERR_GATEWAY_SECRET_USED */
  deleteGatewaySecret(name: string): void {
    this.ctx.storage.transactionSync(() => gateway.deleteGatewaySecret(this.#sql, name))
  }

  // Caches

  /** Makes every edge forget stored responses; resolves when they have. */
  purge(targets: readonly PurgeTarget[]): Promise<void> {
    return this.#ledger.commit(revision => insertPurges(this.#sql, targets, revision, Date.now()))
  }

  // Edges

  /** What changed after a revision; 0 = everything. */
  changes(from: number): Promise<AccountChanges> {
    return readChanges(this.#sql, this.#ledger.meta, from, this.env)
  }

  #changeRoutes<T>(script: string | null, change: () => T): Promise<T> {
    return this.#ledger.commit(revision => {
      if (script) scripts.requireScript(this.#sql, script)
      this.#ledger.meta.set('routes_revision', revision)
      return change()
    })
  }
}
