import { waitUntil } from 'cloudflare:workers'
import { cacheProps } from '../bindings/cache/props.ts'
import { exportedObjects } from '../bindings/durable-object/kind.ts'
import { bindEnv } from '../bindings/index.ts'
import { SkerryError } from '../src/core/errors.ts'
import type { LoadableVersion, ModuleRef } from '../src/core/manifest.ts'
import { type EdgeVersion, isTailed, type ScriptEntry, type ScriptTarget } from '../src/core/routing.ts'
import { WeighedCache } from '../src/core/weighed-cache.ts'
import type { EdgeEnv } from '../src/env.ts'
import { askState, repeatWhileAway } from '../src/roles.ts'
import { enterIsolate, isolates } from './evict.ts'
import type { Isolate } from './isolates.ts'
import { toWorkerCode } from './worker-code.ts'

/**
 * Whatever has the loopback entrypoints: an ExecutionContext as it is. Its `exports` are made when they are read,
 * at 4 % of a request's cost (measured): so only a load reads them.
 */
export interface Exporter {
  readonly exports: Cloudflare.Exports
}

/** What the code of an isolate is made with. */
interface LoadContext extends Exporter {
  readonly env: EdgeEnv
}

/**
 * The isolate of a version, loaded if it isn't yet. Returns at once: code that can't load fails the first call.
 *
 * While the script's logs are read live it is another isolate, with the reader attached: tails cost a quarter
 * of the throughput (measured), so nobody else pays for them.
 */
export function loadWorker(
  target: ScriptTarget,
  version: EdgeVersion,
  nowMs: number,
  env: EdgeEnv,
  ctx: Exporter,
): WorkerStub {
  const isolate = isolates.use(target, version, isTailed(target.entry, nowMs), nowMs)
  return env.LOADER.get(isolate.id, () => load(isolate, version.id, { env, exports: ctx.exports }))
}

/**
 * Whether the isolate in which a call of this version began has ended since, though nobody here ended it: code can
 * do that (`abortIsolate`), and its callers get an internal error of workerd's. If so, it is loaded again.
 */
export async function hasEndedItself(
  version: EdgeVersion,
  sinceMs: number,
  env: EdgeEnv,
  ctx: Exporter,
): Promise<boolean> {
  const isolate = isolates.inUse(version)
  if (!isolate) return false
  env.LOADER.get(isolate.id, () => load(isolate, version.id, { env, exports: ctx.exports }))
  // workerd asks for the code of what isn't there at its next turn, before any timer.
  await scheduler.wait(1)
  return isolate.reloadedAtMs >= sinceMs
}

/** Notes that a version's isolate is in use, by what goes on running in it. */
export function useWorker(target: ScriptTarget, version: EdgeVersion, nowMs: number): void {
  isolates.use(target, version, isTailed(target.entry, nowMs), nowMs)
}

/**
 * workerd keeps a failure to load under its id for ever. So an isolate whose load failed on our side (not in the
 * user's code) is given up: the next request gets another one. And the load must outlive the request that began
 * it, until workerd has read what it returns: others wait for it too.
 */
function load(isolate: Isolate, versionId: string, context: LoadContext): Promise<WorkerLoaderWorkerCode> {
  if (isolates.has(isolate)) isolate.reloadedAtMs = Date.now()
  const loading = loadCode(isolate.target, versionId, isolate.isTailing, context).then(async code => {
    await enterIsolate(isolate, context.env, context.exports)
    return code
  })
  waitUntil(
    loading.then(
      () => scheduler.wait(1),
      () => isolates.giveUp(isolate),
    ),
  )
  return loading
}

async function loadCode(
  { accountId, name }: ScriptTarget,
  versionId: string,
  tailing: boolean,
  { env, exports }: LoadContext,
): Promise<WorkerLoaderWorkerCode> {
  const version = await readVersion(accountId, name, versionId, { env, exports })
  const modules = await readModules(env.CODE, version.modules)
  const owner = { accountId, script: name }
  const scope = {
    ...owner,
    versionId,
    versionTag: version.versionTag,
    createdOn: version.createdOn,
    kvPrefixes: version.kvPrefixes,
    resources: version.resources,
    ...(version.assets !== undefined && { assets: version.assets }),
    d1: env.D1,
    exports,
  }
  const objects = exportedObjects(version.exports, scope)
  return toWorkerCode(version, modules, {
    env: bindEnv(version.bindings, scope),
    globalOutbound: exports.Outbound({ props: owner }),
    ...(version.reads.caches && { caches: exports.CacheEntrypoint({ props: cacheProps(owner, version) }) }),
    ...(objects && { objects }),
    ...(tailing && { tails: [exports.TailEntrypoint({ props: { ...owner, versionId } })] }),
  })
}

/**
 * Brings into memory what a first request to these scripts will need, one after the other: half of what a cold
 * start costs beside starting the isolate is asking for it. What fails is left to the load itself.
 */
export async function readAhead(
  accountId: string,
  scripts: readonly ScriptEntry[],
  env: EdgeEnv,
  ctx: Exporter,
): Promise<void> {
  const context = { env, exports: ctx.exports }
  for (const { name, versions } of scripts) {
    for (const { id } of versions) {
      try {
        const { modules } = await readVersion(accountId, name, id, context)
        if (modules.every(({ sizeBytes }) => sizeBytes <= READ_AHEAD_BYTES))
          await readModules(env.CODE, modules)
      } catch {
        return
      }
    }
  }
}

/** Larger modules take so long to compile that reading them is no matter. */
const READ_AHEAD_BYTES = 256 * 1024

async function readVersion(
  accountId: string,
  script: string,
  versionId: string,
  { env, exports }: LoadContext,
): Promise<LoadableVersion> {
  const key = `${accountId}/${script}/${versionId}`
  const held = recentVersions.get(key)
  if (held) return JSON.parse(new TextDecoder().decode(held)) as LoadableVersion
  const version = await askState(env, exports, state => state.version(accountId, script, versionId))
  if (!version)
    throw new SkerryError('ERR_VERSION_NOT_FOUND', `The version ${versionId} of "${script}" is gone.`)
  const text = new TextEncoder().encode(JSON.stringify(version))
  recentVersions.set(key, text, text.byteLength)
  return version
}

/** Versions just deployed or loaded, as JSON: they never change. */
const recentVersions = new WeighedCache<Uint8Array>(8 * 1024 * 1024)

/**
 * The bytes of modules by name, from memory or the code store; source maps are left out.
 *
 * @throws SkerryError ERR_INTERNAL if the store lacks one
 */
export async function readModules(
  code: KVNamespace,
  modules: readonly ModuleRef[],
): Promise<Map<string, Uint8Array>> {
  const wanted = modules.filter(({ type }) => type !== 'source-map')
  const read = await Promise.all(wanted.map(({ digest }) => readModule(code, digest)))
  return new Map(wanted.map(({ name }, index) => [name, read[index] as Uint8Array]))
}

async function readModule(code: KVNamespace, digest: string): Promise<Uint8Array> {
  const held = recentModules.get(digest)
  if (held) return held
  const stored = await repeatWhileAway(() => code.get(digest, 'arrayBuffer'))
  if (!stored) throw new SkerryError('ERR_INTERNAL', `the code store has no module ${digest}`)
  const bytes = new Uint8Array(stored)
  recentModules.set(digest, bytes, bytes.byteLength)
  return bytes
}

/** Modules just uploaded or loaded: a deploy's first request needn't read the store. */
const recentModules = new WeighedCache<Uint8Array>(32 * 1024 * 1024)
