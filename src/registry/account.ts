import { DurableObject } from 'cloudflare:workers'
import { createApiKeySecret } from '../core/api-key-text.ts'
import type { PurgeTarget } from '../core/gateway.ts'
import type { SecretBinding } from '../core/manifest.ts'
import type { ExportsReport } from '../core/object-changes.ts'
import type { ResourceKind } from '../core/resources.ts'
import type { AccountChanges, EdgeVersion } from '../core/routing.ts'
import type { StateEnv } from '../env.ts'
import { followers, objectsRole } from '../roles.ts'
import {
  type ApiKeyChange,
  type ApiKeyPage,
  type ApiKeyRecord,
  type CreatedApiKey,
  deleteApiKey,
  insertApiKey,
  listApiKeys,
  type NewApiKey,
  type Rotation,
  requireApiKey,
  revokeApiKey,
  rotateApiKey,
  updateApiKey,
} from './api-keys.ts'
import { type AssetRecord, findAssets, hasAssets, insertAssets, missingAssets } from './assets.ts'
import { readChanges, toEdgeVersion } from './changes.ts'
import {
  currentDeployment,
  type DeploymentRecord,
  deleteDeployments,
  insertDeployment,
  listDeployments,
  type Share,
} from './deployments.ts'
import { scriptNotFound, versionNotFound } from './failures.ts'
import {
  deleteGatewaySecret,
  findGatewayRevision,
  type GatewayRevision,
  type GatewayRevisionEntry,
  type GatewaySecretEntry,
  gatewayUsesHost,
  insertGatewayRevision,
  listGatewayRevisions,
  listGatewaySecrets,
  type NewGateway,
  openGatewaySnapshot,
  putGatewaySecret,
  readGatewaySnapshot,
  sealedGatewaySecrets,
} from './gateway.ts'
import {
  createKvNamespace,
  deleteKvNamespace,
  getKvNamespace,
  type KvNamespaceRecord,
  listKvNamespaces,
  renameKvNamespace,
} from './kv-namespaces.ts'
import { Meta } from './meta.ts'
import { ACCOUNT_MIGRATIONS } from './migrations.ts'
import type { NamespacePlan } from './namespace-draft.ts'
import { requireClasses, scriptsThatBind } from './namespace-plan.ts'
import {
  type NewVersion,
  planSecrets,
  planUpload,
  type SecretChange,
  type VersionContent,
} from './new-version.ts'
import {
  deleteNamespacesOf,
  findNamespace,
  forgetDoomedNamespace,
  listDoomedNamespaces,
  listNamespaces,
  type NamespaceRecord,
  saveNamespaces,
  savePendingTransfers,
} from './object-namespaces.ts'
import { insertPurges } from './purges.ts'
import {
  deleteResource,
  findResource,
  insertResource,
  listBinders,
  listResources,
  type ResourceRecord,
  renameResource,
} from './resources.ts'
import {
  deleteDomain,
  deleteRoute,
  deleteRoutesOf,
  insertRoute,
  listRoutes,
  type NewRoute,
  type RouteRecord,
  usesHost,
} from './routes.ts'
import { migrate } from './schema.ts'
import {
  deleteScript,
  findScript,
  listScripts,
  reviseScript,
  type ScriptRecord,
  type ScriptSettings,
  setMigrationTag,
  touchScript,
  updateScript,
} from './scripts.ts'
import {
  clearStrikes,
  endQuarantines,
  insertStrike,
  listQuarantines,
  listStrikes,
  planStrike,
  putQuarantine,
  type QuarantineRecord,
  type Strike,
  type StrikeRecord,
  strikePolicy,
} from './strikes.ts'
import { checkTailConsumers, tailProducersOf } from './tail-consumers.ts'
import {
  type Author,
  countVersions,
  deleteVersions,
  findVersion,
  findVersionByName,
  insertVersion,
  isolateDigest,
  knownModules,
  latestVersion,
  listVersions,
  type VersionRecord,
} from './versions.ts'

/**
 * One account's registry: all that is deployed in it.
 *
 * Every change is one transaction that raises the revision, and is pushed to the edges before it is
 * acknowledged. Methods throw `SkerryError`s.
 */
export class Account extends DurableObject<StateEnv> {
  readonly #sql: SqlStorage
  readonly #meta: Meta
  /** Until the last change was sent to the edges: opening secrets takes a while, and none may overtake another. */
  #sent: Promise<unknown> = Promise.resolve()

  constructor(ctx: DurableObjectState, env: StateEnv) {
    super(ctx, env)
    this.#sql = ctx.storage.sql
    this.#meta = new Meta(this.#sql)
    migrate(ctx.storage, ACCOUNT_MIGRATIONS)
  }

  /** Tells the object whose it is; called by the control plane and by the snapshot before anything else. */
  identify(id: string, workersDomain: string): void {
    this.#meta.set('account_id', id)
    this.#meta.set('workers_domain', workersDomain)
  }

  // Scripts

  getScript(name: string): ScriptRecord | undefined {
    return findScript(this.#sql, name)
  }

  listScripts(): ScriptRecord[] {
    return listScripts(this.#sql)
  }

  /** @throws ERR_SCRIPT_NOT_FOUND, ERR_TAIL_CONSUMER */
  updateScript(name: string, change: ScriptSettings): Promise<ScriptRecord> {
    return this.#commit(revision => {
      this.#requireScript(name)
      checkTailConsumers(this.#sql, name, change)
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

  /** Removes script, versions, deployments, routes, and its Durable Objects with all they stored. @throws ERR_SCRIPT_NOT_FOUND */
  deleteScript(name: string): Promise<void> {
    return this.#commit(revision => {
      this.#requireScript(name)
      if (deleteNamespacesOf(this.#sql, name)) this.#noteNamespaces(revision)
      deleteRoutesOf(this.#sql, name)
      deleteDeployments(this.#sql, name)
      deleteVersions(this.#sql, name)
      clearStrikes(this.#sql, name)
      deleteScript(this.#sql, name, revision)
      this.#meta.set('routes_revision', revision)
    })
  }

  // Strikes and quarantine

  /**
   * Takes a strike in; the same one again changes nothing. One of a script or version that is gone is ignored.
   *
   * @returns whether the script as deployed, or the struck version's preview, is in quarantine now
   */
  async addStrike(script: string, strike: Strike): Promise<{ quarantined: boolean }> {
    const nowMs = Date.now()
    const plan = planStrike(this.#sql, script, strike, strikePolicy(this.env), nowMs)
    const quarantine = plan?.quarantine
    if (quarantine) {
      await this.#commit(revision => {
        insertStrike(this.#sql, plan.record)
        putQuarantine(this.#sql, quarantine)
        reviseScript(this.#sql, script, revision)
      })
    } else if (plan) {
      this.ctx.storage.transactionSync(() => insertStrike(this.#sql, plan.record))
    }
    return { quarantined: this.listQuarantines(script).length > 0 }
  }

  /** Newest first, at most `LIMITS.strikesKept`. */
  listStrikes(script: string): StrikeRecord[] {
    return listStrikes(this.#sql, script)
  }

  /** The quarantines in force, of one script or all. */
  listQuarantines(script?: string): QuarantineRecord[] {
    return listQuarantines(this.#sql, Date.now(), script)
  }

  /** Ends a script's quarantines and forgets its strikes. @throws ERR_SCRIPT_NOT_FOUND */
  releaseScript(name: string): Promise<void> {
    return this.#commit(revision => {
      this.#requireScript(name)
      clearStrikes(this.#sql, name)
      reviseScript(this.#sql, name, revision)
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

  /** A version by its id, the first 8 digits of it, or its tag (the newest), as an edge runs it. */
  findVersion(script: string, wanted: string): EdgeVersion | undefined {
    const version = findVersionByName(this.#sql, script, wanted)
    return version && toEdgeVersion(version, 100)
  }

  /**
   * Adds a version, and deploys it where asked, in one transaction.
   *
   * @throws ERR_BINDING_INHERIT, ERR_SERVICE_TARGET, ERR_SERVICE_ENTRYPOINT, ERR_KV_NAMESPACE_NOT_FOUND,
   * ERR_TAIL_CONSUMER, ERR_OBJECT_*
   */
  addVersion(script: string, upload: NewVersion): Promise<AddedVersion> {
    return this.#addVersion(script, upload, previous => planUpload(this.#sql, script, upload, previous))
  }

  /**
   * Sets and deletes secrets by making a version that differs from the latest only in them.
   *
   * @throws ERR_SCRIPT_NOT_FOUND, ERR_SECRET_UNDEPLOYED, ERR_SECRET_NOT_FOUND, ERR_BINDING_TAKEN
   */
  changeSecrets(script: string, change: SecretChange): Promise<VersionRecord> {
    return this.#addVersion(script, { ...change, source: 'api' }, previous =>
      planSecrets(this.#sql, script, change, previous),
    )
  }

  // Deployments

  /** Newest first; the first is in force. @throws ERR_SCRIPT_NOT_FOUND */
  listDeployments(script: string, limit: number): DeploymentRecord[] {
    this.#requireScript(script)
    return listDeployments(this.#sql, script, limit)
  }

  /**
   * Gives versions their shares of the traffic.
   *
   * @throws ERR_SCRIPT_NOT_FOUND, ERR_VERSION_NOT_FOUND, ERR_OBJECT_CLASS_MISSING
   */
  deploy(
    script: string,
    shares: readonly Share[],
    by: { source: string; author: Author; annotations: Readonly<Record<string, string>> },
  ): Promise<DeploymentRecord> {
    return this.#commit(revision => {
      this.#requireScript(script)
      for (const { version_id } of shares) {
        const version = findVersion(this.#sql, script, version_id)
        if (!version) throw versionNotFound(version_id)
        requireClasses(listNamespaces(this.#sql), script, version.manifest.exports)
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
      this.#meta.set('routes_revision', revision)
      return routes.map(route => insertRoute(this.#sql, route))
    })
  }

  /** Replaces a script's custom domains; `takeOver` moves those of other scripts. @throws as `putRoutes` */
  putDomains(script: string, domains: readonly NewRoute[], takeOver: boolean): Promise<RouteRecord[]> {
    return this.#commit(revision => {
      this.#requireScript(script)
      deleteRoutesOf(this.#sql, script, true)
      if (takeOver) for (const { pattern } of domains) deleteDomain(this.#sql, pattern)
      this.#meta.set('routes_revision', revision)
      return domains.map(domain => insertRoute(this.#sql, domain))
    })
  }

  /** @throws ERR_SCRIPT_NOT_FOUND, ERR_ROUTE_TAKEN */
  addRoute(route: NewRoute): Promise<RouteRecord> {
    return this.#commit(revision => {
      if (route.script) this.#requireScript(route.script)
      this.#meta.set('routes_revision', revision)
      return insertRoute(this.#sql, route)
    })
  }

  removeRoute(id: string): Promise<RouteRecord | undefined> {
    return this.#commit(revision => {
      this.#meta.set('routes_revision', revision)
      return deleteRoute(this.#sql, id)
    })
  }

  /** Whether a claimed host is still on a route, a custom domain or a route of the gateway. */
  usesHost(host: string): boolean {
    return usesHost(this.#sql, host) || gatewayUsesHost(this.#sql, host)
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

  // Static files: which are stored, by the hash that their clients know them by.

  /** What is known already stays as it is. */
  addAssets(assets: readonly AssetRecord[]): void {
    this.ctx.storage.transactionSync(() => insertAssets(this.#sql, assets))
  }

  findAssets(hashes: readonly string[]): AssetRecord[] {
    return findAssets(this.#sql, hashes)
  }

  /** Whether a file is stored for each of the hashes; quickest where one of the first is missing. */
  hasAssets(hashes: readonly string[]): boolean {
    return hasAssets(this.#sql, hashes)
  }

  /** Those of the hashes that no file is stored for. */
  missingAssets(hashes: readonly string[]): string[] {
    return missingAssets(this.#sql, hashes)
  }

  // Databases, buckets and queues: names only. What they hold is with the objects of their `object` ids.

  /** @throws ERR_RESOURCE_TAKEN */
  createResource(resource: ResourceRecord): ResourceRecord {
    return insertResource(this.#sql, resource)
  }

  listResources(kind: ResourceKind): ResourceRecord[] {
    return listResources(this.#sql, kind)
  }

  /** Which scripts, as they are deployed, bind which object of a kind. */
  listBinders(kind: ResourceKind): { script: string; object: string }[] {
    return listBinders(this.#sql, kind)
  }

  /** By id or name. */
  findResource(kind: ResourceKind, idOrName: string): ResourceRecord | undefined {
    return findResource(this.#sql, kind, idOrName)
  }

  /** @throws ERR_D1_NOT_FOUND, ERR_R2_BUCKET_NOT_FOUND, ERR_QUEUE_NOT_FOUND, ERR_RESOURCE_TAKEN */
  renameResource(kind: ResourceKind, id: string, name: string): ResourceRecord {
    return renameResource(this.#sql, kind, id, name)
  }

  /** @throws ERR_D1_NOT_FOUND, ERR_R2_BUCKET_NOT_FOUND, ERR_QUEUE_NOT_FOUND */
  deleteResource(kind: ResourceKind, idOrName: string): ResourceRecord {
    return deleteResource(this.#sql, kind, idOrName)
  }

  // Namespaces of Durable Objects: names only, as before.

  listNamespaces(): NamespaceRecord[] {
    return listNamespaces(this.#sql)
  }

  findNamespace(id: string): NamespaceRecord | undefined {
    return findNamespace(this.#sql, id)
  }

  /** Other scripts that use a script: as the home of their objects' class, or as the source of their traces. */
  listReferences(script: string): ScriptReferences {
    const namespaces = listNamespaces(this.#sql).filter(record => record.script === script)
    return {
      objects: namespaces.flatMap(({ id }) =>
        scriptsThatBind(this.#sql, id, script).map(service => ({ service, namespaceId: id })),
      ),
      tailProducers: tailProducersOf(this.#sql, script),
    }
  }

  /** Deletes the objects of namespaces that are gone; tries again until they are. */
  override async alarm(): Promise<void> {
    const accountId = this.#meta.text('account_id')
    for (const id of listDoomedNamespaces(this.#sql)) {
      try {
        await objectsRole(this.env, this.ctx.exports).deleteNamespace(accountId, id)
        forgetDoomedNamespace(this.#sql, id)
      } catch {
        await this.ctx.storage.setAlarm(Date.now() + DELETE_AGAIN_MS)
      }
    }
  }

  // API keys

  /** The key's text is in this answer and nowhere else. @throws ERR_API_KEY_LIMIT */
  async createApiKey(fields: NewApiKey): Promise<CreatedApiKey> {
    const secret = await createApiKeySecret()
    return this.#commit(revision => insertApiKey(this.#sql, fields, secret, revision, Date.now()))
  }

  /** Newest first; `next` is the `before` of the page that follows. */
  listApiKeys(page: ApiKeyPage): { keys: ApiKeyRecord[]; next: number | undefined } {
    return listApiKeys(this.#sql, page)
  }

  /** @throws ERR_API_KEY_NOT_FOUND */
  getApiKey(id: string): ApiKeyRecord {
    return requireApiKey(this.#sql, id)
  }

  /** @throws ERR_API_KEY_NOT_FOUND */
  updateApiKey(id: string, change: ApiKeyChange): Promise<ApiKeyRecord> {
    return this.#commit(revision => updateApiKey(this.#sql, id, change, revision))
  }

  /** @throws ERR_API_KEY_NOT_FOUND */
  revokeApiKey(id: string): Promise<ApiKeyRecord> {
    return this.#commit(revision => revokeApiKey(this.#sql, id, revision, Date.now()))
  }

  /** Makes a new key in its place; the old one stays valid for a while. @throws ERR_API_KEY_NOT_FOUND, ERR_API_KEY_STATE, ERR_API_KEY_LIMIT */
  async rotateApiKey(id: string, rotation: Rotation): Promise<CreatedApiKey> {
    const secret = await createApiKeySecret()
    return this.#commit(revision => rotateApiKey(this.#sql, id, rotation, secret, revision, Date.now()))
  }

  /** @throws ERR_API_KEY_NOT_FOUND */
  deleteApiKey(id: string): Promise<void> {
    return this.#commit(revision => deleteApiKey(this.#sql, id, revision))
  }

  // Gateway: the file's hosts are claimed in the Directory first.

  /** The file in force; `undefined` = there is none. */
  getGateway(): GatewayRevision | undefined {
    return findGatewayRevision(this.#sql)
  }

  /** The revisions that are kept, newest first. */
  listGatewayRevisions(): GatewayRevisionEntry[] {
    return listGatewayRevisions(this.#sql)
  }

  getGatewayRevision(revision: number): GatewayRevision | undefined {
    return findGatewayRevision(this.#sql, revision)
  }

  /** Puts a checked file in force. @throws ERR_GATEWAY_CONFLICT, ERR_GATEWAY_SECRET_NOT_FOUND */
  applyGateway(gateway: NewGateway): Promise<GatewayRevisionEntry> {
    return this.#commit(revision => {
      this.#meta.set('gateway_revision', revision)
      return insertGatewayRevision(this.#sql, gateway, Date.now())
    })
  }

  /** Names and dates, never texts. */
  listGatewaySecrets(): GatewaySecretEntry[] {
    return listGatewaySecrets(this.#sql)
  }

  /** Sealed, for checks of files that refer to them. */
  sealedGatewaySecrets(): SecretBinding[] {
    return sealedGatewaySecrets(this.#sql)
  }

  putGatewaySecret(secret: SecretBinding): Promise<void> {
    return this.#commit(revision => {
      if (putGatewaySecret(this.#sql, secret, Date.now())) this.#meta.set('gateway_revision', revision)
    })
  }

  /** @throws ERR_GATEWAY_SECRET_NOT_FOUND, ERR_GATEWAY_SECRET_USED */
  deleteGatewaySecret(name: string): void {
    this.ctx.storage.transactionSync(() => deleteGatewaySecret(this.#sql, name))
  }

  // Caches

  /** Makes every edge forget stored responses; resolves when they have. */
  purge(targets: readonly PurgeTarget[]): Promise<void> {
    return this.#commit(revision => insertPurges(this.#sql, targets, revision, Date.now()))
  }

  // Edges

  /** What changed after a revision; 0 = everything. */
  async changes(from: number): Promise<AccountChanges> {
    // All is read before the first await: it belongs to one revision.
    const changes = readChanges(this.#sql, this.#meta, from, Date.now())
    const isNew = from === 0 || this.#meta.number('gateway_revision') > from
    const sealed = isNew ? readGatewaySnapshot(this.#sql) : undefined
    if (!sealed) return changes
    return { ...changes, gateway: await openGatewaySnapshot(sealed, this.env.MASTER_KEY) }
  }

  /**
   * The digest needs an await, in which another change may slip in: then all is done again on what is the latest
   * by now.
   */
  async #addVersion(
    script: string,
    by: Omit<NewVersion, 'manifest' | 'bindings' | 'keepTypes'>,
    make: (previous: VersionRecord | undefined) => VersionContent,
  ): Promise<AddedVersion> {
    const id = crypto.randomUUID()
    const accountId = this.#meta.text('account_id')
    for (;;) {
      const before = this.#meta.number('revision')
      const { namespaces, ...made } = make(latestVersion(this.#sql, script))
      const content = { id, annotations: by.annotations, ...made }
      const isolate = await isolateDigest({ accountId, script }, content)
      if (this.#meta.number('revision') !== before) continue
      return this.#commit(revision => {
        touchScript(this.#sql, script, revision, Date.now())
        if (by.settings) updateScript(this.#sql, script, by.settings)
        if (namespaces) this.#saveNamespaces(script, namespaces, revision)
        insertVersion(
          this.#sql,
          { ...content, script, isolate, source: by.source, author: by.author },
          Date.now(),
        )
        if (by.deploy) this.#insertDeployment(script, [{ version_id: id, percentage: 100 }], by, revision)
        const version = findVersion(this.#sql, script, id) as VersionRecord
        return { ...version, ...(namespaces?.report && { report: namespaces.report }) }
      })
    }
  }

  #saveNamespaces(script: string, plan: NamespacePlan, revision: number): void {
    savePendingTransfers(this.#sql, plan.transfers)
    setMigrationTag(this.#sql, script, plan.tag)
    if (saveNamespaces(this.#sql, plan.namespaces)) this.#noteNamespaces(revision)
  }

  /** The alarm is on disk with what it is for. */
  #noteNamespaces(revision: number): void {
    this.#meta.set('namespaces_revision', revision)
    if (listDoomedNamespaces(this.#sql).length > 0) {
      void this.ctx.storage.setAlarm(Date.now() + DELETE_AFTER_MS)
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
    endQuarantines(this.#sql, script)
    return currentDeployment(this.#sql, script) as DeploymentRecord
  }

  async #commit<T>(change: (revision: number) => T): Promise<T> {
    const { value, from } = this.ctx.storage.transactionSync(() => {
      const from = this.#meta.number('revision')
      this.#meta.set('revision', from + 1)
      return { value: change(from + 1), from }
    })
    await this.#push(this.changes(from))
    return value
  }

  /** An edge that can't be reached reads everything when it is back, so it holds nobody up. */
  async #push(reading: Promise<AccountChanges>): Promise<void> {
    const giveUp = new Promise<void>(resolve => setTimeout(resolve, PUSH_TIMEOUT_MS))
    const pushes = this.#sent.then(async () => {
      const changes = await reading
      return followers(this.env, this.ctx.exports).map(follower => follower.apply(changes))
    })
    this.#sent = pushes.catch(() => {})
    reading.catch(() => {})
    await Promise.race([pushes.then(sent => Promise.allSettled(sent)), giveUp])
  }

  #requireScript(name: string): ScriptRecord {
    const script = findScript(this.#sql, name)
    if (!script) throw scriptNotFound()
    return script
  }
}

/** A version that was added. */
export type AddedVersion = VersionRecord & {
  /** What became of the classes, where the upload declares them. */
  readonly report?: ExportsReport
}

/** Who uses a script. */
export interface ScriptReferences {
  readonly objects: readonly { readonly service: string; readonly namespaceId: string }[]
  readonly tailProducers: readonly string[]
}

/** Until then, edges and objects have heard that the namespace is gone. */
const DELETE_AFTER_MS = 500
const DELETE_AGAIN_MS = 2000

/** Pushing a change waits no longer than this for an edge. */
const PUSH_TIMEOUT_MS = 2000
