import type { Context } from 'hono'
import { invalidBinding } from '../../../bindings/fields.ts'
import { type ParsedBinding, parseBindings } from '../../../bindings/index.ts'
import { checkHandlers, type ProbeResult } from '../../../runtime/probe.ts'
import { readsOf } from '../../../runtime/reads.ts'
import { SkerryError } from '../../../src/core/errors.ts'
import { createHexId } from '../../../src/core/ids.ts'
import type { AssetsRef, ExportRef, StoredBinding } from '../../../src/core/manifest.ts'
import { type ResourceKind, resourceOf } from '../../../src/core/resources.ts'
import { turnLimit, turnPolicy } from '../../../src/core/turn-limit.ts'
import type { Account } from '../../../src/registry/account.ts'
import type { AddedVersion } from '../../../src/registry/add-version.ts'
import type { ResourceRecord } from '../../../src/registry/resources.ts'
import { timestamp } from '../../../src/registry/schema.ts'
import { openBindings, sealSecret } from '../../../src/registry/secrets.ts'
import { directory } from '../../../src/registry/stubs.ts'
import { type InheritBinding, mergeBindings } from '../../../src/registry/versions.ts'
import { anyEdge, CARRIER_HEADER, isAway } from '../../../src/roles.ts'
import type { Api } from '../context.ts'
import { prepareAssets } from './assets-metadata.ts'
import { toAuthor } from './author.ts'
import { readUploadForm, type UploadedModule } from './upload-form.ts'
import { parseUploadMetadata, type UploadMetadata } from './upload-metadata.ts'
import { adoptWorkflows, isOwnWorkflow, requireClasses } from './workflows-adopt.ts'

/**
 * Takes an upload from form to version: check, store modules, adopt unknown resources, really load the code,
 * seal secrets, commit. Nothing is committed unless everything before succeeded.
 *
 * @param deploy also send all traffic to the new version
 * @throws every ERR_UPLOAD_*, ERR_SCRIPT_* and ERR_BINDING_* code, ERR_WORKFLOW_CLASS_MISSING, and as
 * `requireResources`
 */
export async function uploadVersion(c: Context<Api>, script: string, deploy: boolean): Promise<AddedVersion> {
  const { registry } = c.var.account
  const form = await readUploadForm(c.req.raw)
  const metadata = parseUploadMetadata(form, new Date().toISOString().slice(0, 10))
  const parsed = parseBindings(metadata.bindings)
  const previous = await registry.latestVersion(script)

  const assets = await prepareAssets(metadata.assets, metadata.program, {
    code: c.env.CODE,
    registry,
    accountId: c.var.account.id,
    masterKey: c.env.MASTER_KEY,
    previous: previous?.manifest.assets,
  })
  checkContent(metadata, parsed, assets)
  const adoptions = await planAdoptions(c, script, parsed)
  const bindings = await sealSecrets(parsed, c.env.MASTER_KEY)
  const merged = mergeBindings(previous?.manifest.bindings ?? [], bindings, metadata.keepTypes)
  await requireForeign(c, script, bindings)
  await storeModules(c, form.modules)
  const started =
    metadata.program.mainModule === ''
      ? NOTHING_STARTED
      : await startCode(c, script, metadata, merged, adoptions)
  requireClasses(script, merged, started.exports)
  for (const namespace of adoptions) await registry.createKvNamespace(namespace)
  await adoptResources(c, script, parsed)
  await adoptWorkflows(c, script, merged)
  return registry.addVersion(script, {
    manifest: {
      ...metadata.program,
      ...started,
      reads: readsOf(new Map(form.modules.map(m => [m.name, m]))),
      ...(metadata.turnMs !== undefined && { turnMs: metadata.turnMs }),
      ...(assets && { assets }),
    },
    bindings,
    keepTypes: metadata.keepTypes,
    annotations: { 'workers/triggered_by': 'upload', ...metadata.annotations },
    source: c.req.header('user-agent')?.startsWith('wrangler') ? 'wrangler' : 'api',
    author: toAuthor(c),
    deploy,
    settings: metadata.settings,
    ...(metadata.objects && { objects: metadata.objects }),
  })
}

/** What is known of a version without code. */
const NOTHING_STARTED = { exports: [] as ExportRef[], startupTimeMs: 0 }

/** @throws ERR_UPLOAD_METADATA, ERR_BINDING_INVALID */
function checkContent(
  { program }: UploadMetadata,
  bindings: readonly ParsedBinding[],
  assets: AssetsRef | undefined,
): void {
  if (assets) return
  if (program.mainModule === '') {
    throw new SkerryError(
      'ERR_UPLOAD_METADATA',
      "The upload's metadata is invalid: it has neither code nor static files, and there are none to keep.",
    )
  }
  const binding = bindings.find(({ type }) => type === 'assets')
  if (!binding) return
  throw invalidBinding(binding.name, 'the version has no static assets. Upload some, or remove the binding.')
}

/**
 * Refuses what the account doesn't have and the upload doesn't bring, before the code is started, which
 * would miss it first, and in other words.
 */
async function requireForeign(
  c: Context<Api>,
  script: string,
  bindings: readonly (StoredBinding | InheritBinding)[],
): Promise<void> {
  const isForeign = (binding: StoredBinding) =>
    (c.env.SKERRY_ADOPT === '0' || binding.type === 'workflow') && !isOwnWorkflow(binding, script)
  const foreign = bindings.filter(binding => binding.type !== 'inherit').filter(isForeign)
  if (foreign.length > 0) await c.var.account.registry.requireResources(script, foreign)
}

/** Modules are stored before the version that names them; what the account has already is left out. */
async function storeModules(c: Context<Api>, modules: readonly UploadedModule[]): Promise<void> {
  const known = new Set(await c.var.account.registry.knownModules(modules.map(({ digest }) => digest)))
  const fresh = modules.filter(({ digest }) => !known.has(digest))
  await Promise.all(fresh.map(({ digest, bytes }) => c.env.CODE.put(digest, bytes)))
}

/** Loads the code in an edge. @throws ERR_SCRIPT_STARTUP, ERR_SCRIPT_NO_HANDLER */
async function startCode(
  c: Context<Api>,
  script: string,
  metadata: UploadMetadata,
  bindings: readonly StoredBinding[],
  adoptions: readonly NewNamespace[],
): Promise<{ exports: ExportRef[]; startupTimeMs: number }> {
  const opened = await openBindings(bindings, c.env.MASTER_KEY)
  const namespaces = await c.var.account.registry.listKvNamespaces()
  const prefixes = Object.fromEntries([...namespaces, ...adoptions].map(({ id, prefix }) => [id, prefix]))
  const result = await probeTwice(async () => {
    const carrier = c.req.header(CARRIER_HEADER)
    const edge = await anyEdge(c.env, c.executionCtx.exports as Cloudflare.Exports, carrier)
    const owner = { accountId: c.var.account.id, script }
    const turnMs = turnLimit(metadata.turnMs, turnPolicy(c.env))
    return edge.probe(owner, metadata.program, opened, prefixes, turnMs)
  })
  if (!result.ok) throw new SkerryError('ERR_SCRIPT_STARTUP', result.message)
  const problem = checkHandlers(result.exports)
  if (problem) throw new SkerryError('ERR_SCRIPT_NO_HANDLER', problem)
  return { exports: result.exports, startupTimeMs: result.startupTimeMs }
}

/**
 * Top-level code that loops takes the edge with it, which is killed from outside. Once may be another function's
 * doing; twice is this code's.
 */
async function probeTwice(probe: () => Promise<ProbeResult>): Promise<ProbeResult> {
  for (let lost = 0; lost < 2; lost++) {
    try {
      return await probe()
    } catch (error) {
      if (!isAway(error)) throw error
    }
  }
  return { ok: false, message: 'Script startup exceeded CPU time limit.' }
}

type NewNamespace = Parameters<Account['createKvNamespace']>[0]

/** A project moved here names namespaces that don't exist yet: they are made, with exactly that id. */
async function planAdoptions(
  c: Context<Api>,
  script: string,
  bindings: readonly ParsedBinding[],
): Promise<NewNamespace[]> {
  if (c.env.SKERRY_ADOPT === '0') return []
  const plans = new Map<string, NewNamespace>()
  for (const binding of bindings) {
    if (binding.type !== 'kv_namespace' || plans.has(binding.namespace_id)) continue
    const id = binding.namespace_id
    if (await c.var.account.registry.getKvNamespace(id)) continue
    plans.set(id, {
      id,
      title: `${script}-${binding.name}-${id.slice(0, 8)}`.toLowerCase(),
      prefix: await directory(c.env).allocateKvPrefix(),
      createdOn: timestamp(Date.now()),
    })
  }
  return [...plans.values()]
}

/**
 * The same for databases and buckets; wrangler asks for queues itself, before it uploads. Workflows come
 * with code.
 */
async function adoptResources(
  c: Context<Api>,
  script: string,
  bindings: readonly ParsedBinding[],
): Promise<void> {
  if (c.env.SKERRY_ADOPT === '0') return
  const { registry } = c.var.account
  for (const binding of bindings) {
    if (binding.type === 'inherit') continue
    const wanted = resourceOf(binding)
    if (!wanted || wanted.kind === 'workflow' || (await registry.findResource(wanted.kind, wanted.ref)))
      continue
    await registry.createResource({
      ...toAdopted(wanted.kind, wanted.ref, `${script}-${binding.name}`.toLowerCase().replaceAll('_', '-')),
      object: createHexId(),
      created_on: timestamp(Date.now()),
    })
  }
}

/** Bindings name databases by id, and everything else by name. */
function toAdopted(
  kind: Exclude<ResourceKind, 'workflow'>,
  ref: string,
  title: string,
): Pick<ResourceRecord, 'kind' | 'id' | 'name'> {
  switch (kind) {
    case 'd1':
      return { kind, id: ref, name: `${title}-${ref.slice(0, 8)}` }
    case 'queue':
      return { kind, id: createHexId(), name: ref }
    case 'r2_bucket':
      return { kind, id: ref, name: ref }
  }
}

function sealSecrets(
  bindings: readonly ParsedBinding[],
  masterKey: string,
): Promise<(StoredBinding | InheritBinding)[]> {
  return Promise.all(
    bindings.map(binding =>
      binding.type === 'secret_text'
        ? sealSecret(binding.name, binding.text, masterKey)
        : Promise.resolve(binding),
    ),
  )
}
