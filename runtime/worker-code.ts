import type { Facade } from '../bindings/binding.ts'
import cachesSource from '../bindings/cache/facade.prelude.js'
import classSource from '../bindings/durable-object/class.prelude.js'
import { durableObject, type ExportedObjects } from '../bindings/durable-object/kind.ts'
import { FACADES, facadesOf } from '../bindings/index.ts'
import { HARNESS_ENTRYPOINT } from '../bindings/service/kind.ts'
import workflowSource from '../bindings/workflow/class.prelude.js'
import { SkerryError } from '../src/core/errors.ts'
import type { Binding, LoadableVersion, ModuleRef, PartBinding, StoredBinding } from '../src/core/manifest.ts'
import { resolveFlags } from './compatibility.ts'
import { PRELUDE_DIRECTORY } from './module-names.ts'
import harnessSource from './prelude/harness.prelude.js'
import serviceWorkerSource from './prelude/service-worker.prelude.js'

// Every cold start reads them; their comments are for us.
const harness = withoutComments(harnessSource)
const serviceWorker = withoutComments(serviceWorkerSource)
const objectClass = withoutComments(classSource)
const workflowClass = withoutComments(workflowSource)
const cachesFacade = withoutComments(cachesSource)

/** What of a version makes its code; `exports` are those recorded when it was uploaded. */
export type CodeVersion = Pick<
  LoadableVersion,
  'format' | 'mainModule' | 'modules' | 'compatibilityDate' | 'compatibilityFlags' | 'exports'
> & { readonly bindings?: readonly (Binding | StoredBinding)[] }

/** What surrounds the code. */
export interface CodeOptions {
  /** Structured-cloneable values and loopback stubs, at most 1 MiB (workerd). */
  readonly env: Record<string, unknown>
  /** Never omitted: without it an isolate inherits full access to the network. `null` blocks all. */
  readonly globalOutbound: Fetcher | null
  readonly tails?: Fetcher[]
  /** What `caches` asks: absent where the code doesn't mention it. */
  readonly caches?: Fetcher
  /** The namespaces that `ctx.exports` has; absent where there are none. */
  readonly objects?: ExportedObjects
}

/**
 * Changes whenever the platform's own code in an isolate does: part of the isolate's id, so that an edge
 * never keeps an isolate with an older prelude.
 */
export const PRELUDE_VERSION = fingerprint(
  [
    harness,
    serviceWorker,
    objectClass,
    workflowClass,
    cachesFacade,
    toMainModule,
    toEnvModule,
    resolveFlags,
    ...FACADES.map(f => f.source),
  ].join(''),
)

/**
 * The code of a version's isolate: its modules untouched, and a generated main module that imports the harness
 * first, re-exports what the version exports, and adds the harness.
 *
 * `modules` holds the bytes of every module but source maps, by name. No CPU limit is set: stock workerd
 * enforces none.
 *
 * @throws ERR_UPLOAD_MODULE when a module's bytes are missing or are not valid JSON
 */
export function toWorkerCode(
  version: CodeVersion,
  modules: ReadonlyMap<string, Uint8Array>,
  options: CodeOptions,
): WorkerLoaderWorkerCode {
  return assemble(version, modules, options, toMainModule(version, options))
}

/** The same isolate before its exports are known: only the harness can be called. */
export function toProbeCode(
  version: Omit<CodeVersion, 'exports'>,
  modules: ReadonlyMap<string, Uint8Array>,
  options: CodeOptions,
): WorkerLoaderWorkerCode {
  return assemble(version, modules, options, toMainModule({ ...version, exports: [] }, options))
}

const MAIN = `${PRELUDE_DIRECTORY}/main.js`
const ENV = `${PRELUDE_DIRECTORY}/env.js`
/** No binding can have this name. */
const CACHES = 'skerry:caches'
const OBJECTS = 'skerry:objects'
const OBJECT_CLASS = 'durable-object-class'
const WORKFLOW_CLASS = 'workflow-class'

function assemble(
  version: Omit<CodeVersion, 'exports'>,
  modules: ReadonlyMap<string, Uint8Array>,
  options: CodeOptions,
  main: string,
): WorkerLoaderWorkerCode {
  const loaded: Record<string, WorkerLoaderModule> = Object.create(null)
  for (const ref of version.modules) {
    if (ref.type === 'source-map') continue
    const bytes = modules.get(ref.name)
    if (!bytes) throw new SkerryError('ERR_UPLOAD_MODULE', `The module "${ref.name}" has no content.`)
    const isScript = version.format === 'service-worker' && ref.name === version.mainModule
    loaded[ref.name] = toModule(isScript ? { ...ref, type: 'text' } : ref, bytes)
  }
  loaded[`${PRELUDE_DIRECTORY}/harness.js`] = { js: harness }
  if (version.format === 'service-worker') {
    loaded[`${PRELUDE_DIRECTORY}/service-worker.js`] = { js: serviceWorker }
  }
  const facades = facadesOf(version.bindings ?? [])
  const { caches, objects } = options
  if (hasEnvModule(facades, options)) loaded[ENV] = { js: toEnvModule(facades, options) }
  if (caches) loaded[`${PRELUDE_DIRECTORY}/caches.js`] = { js: cachesFacade }
  for (const { name, source } of facades.values()) {
    loaded[`${PRELUDE_DIRECTORY}/${name}.js`] ??= { js: withoutComments(source) }
  }
  if (main.includes(OBJECT_CLASS)) {
    loaded[`${PRELUDE_DIRECTORY}/${durableObject.facade.name}.js`] ??= {
      js: withoutComments(durableObject.facade.source),
    }
    loaded[`${PRELUDE_DIRECTORY}/${OBJECT_CLASS}.js`] = { js: objectClass }
  }
  if (main.includes(WORKFLOW_CLASS))
    loaded[`${PRELUDE_DIRECTORY}/${WORKFLOW_CLASS}.js`] = { js: workflowClass }
  loaded[MAIN] = { js: main }
  return {
    compatibilityDate: version.compatibilityDate,
    compatibilityFlags: resolveFlags(version.format, version.compatibilityDate, version.compatibilityFlags),
    mainModule: MAIN,
    modules: { ...loaded },
    env: { ...options.env, ...(caches && { [CACHES]: caches }), ...(objects && { [OBJECTS]: objects }) },
    globalOutbound: options.globalOutbound,
    ...(options.tails && { tails: options.tails }),
  }
}

function toModule(ref: ModuleRef, bytes: Uint8Array): WorkerLoaderModule {
  switch (ref.type) {
    case 'esm':
      return { js: decode(bytes) }
    case 'cjs':
      return { cjs: decode(bytes) }
    case 'text':
      return { text: decode(bytes) }
    case 'json':
      return { json: parseJson(ref.name, bytes) }
    case 'data':
      return { data: toArrayBuffer(bytes) }
    case 'wasm':
      return { wasm: toArrayBuffer(bytes) }
    default:
      throw new SkerryError(
        'ERR_UPLOAD_MODULE',
        `The module "${ref.name}" is of type ${ref.type}, which can't be run.`,
      )
  }
}

type Extras = Pick<CodeOptions, 'caches' | 'objects'>

function hasEnvModule(facades: ReadonlyMap<string, Facade>, { caches, objects }: Extras): boolean {
  return facades.size > 0 || caches !== undefined || objects !== undefined
}

function toMainModule(version: CodeVersion, extras: Extras): string {
  const user = specifier(version.mainModule)
  const lines = [`import { createHarness } from './harness.js'`]
  if (hasEnvModule(facadesOf(version.bindings ?? []), extras)) lines.push(`import './env.js'`)
  const names = version.exports.map(ref => ref.name)
  const main = version.modules.find(ref => ref.name === version.mainModule)
  if (version.mainModule === '') {
    // Static files alone.
    lines.push('const user = {}')
  } else if (version.format === 'service-worker') {
    lines.push(`import { runServiceWorker } from './service-worker.js'`, `import source from ${user}`)
    const parts = partsOf(version)
    parts.forEach((binding, i) => {
      lines.push(`import part${i} from ${specifier(binding.part)}`)
    })
    const entries = parts.map((binding, i) => `[${JSON.stringify(binding.name)}]: part${i}`)
    const name = JSON.stringify(version.mainModule)
    lines.push(`const user = runServiceWorker(source, ${name}, { ${entries.join(', ')} })`)
    if (names.includes('default')) lines.push('export default user.default')
  } else if (main?.type === 'cjs') {
    // A CommonJS module imports as its `module.exports`, so its named exports are named here.
    lines.push(
      `import exported from ${user}`,
      `const user = Object.assign(Object.create(null), { default: exported }, exported)`,
    )
    if (names.includes('default')) lines.push(`export default user.default`)
    // workerd refuses exports that it can't call, and properties of `module.exports` may be anything.
    version.exports
      .filter(ref => ref.name !== 'default' && ref.kind !== 'other')
      .forEach(({ name }, i) => {
        lines.push(
          `const cjs${i} = user[${JSON.stringify(name)}]`,
          `export { cjs${i} as ${JSON.stringify(name)} }`,
        )
      })
  } else {
    lines.push(`import * as user from ${user}`, `export * from ${user}`)
    // Naming a default export that doesn't exist is a syntax error.
    if (names.includes('default')) lines.push(`export { default } from ${user}`)
  }
  // Without a default export workerd sends the request on, to the network, as if no Worker were there.
  if (!names.includes('default')) lines.push('export default {}')
  lines.push(...toObjectClasses(version, extras), ...toWorkflowClasses(version))
  // An explicit export wins over a user's of the same name.
  lines.push(`export const ${HARNESS_ENTRYPOINT} = createHarness(user)`)
  return `${lines.join('\n')}\n`
}

/** Durable Object classes as they run; those that extend nothing are known by a binding or their namespace. */
function toObjectClasses({ exports, bindings = [] }: CodeVersion, { objects }: Extras): string[] {
  const bound = bindings
    .flatMap(binding => (binding.type === 'durable_object_namespace' ? binding.class_name : []))
    .concat(Object.keys(objects?.namespaces ?? {}))
  const classes = exports.filter(
    ({ name, kind }) =>
      name !== 'default' && (kind === 'durable-object' || (kind === 'other' && bound.includes(name))),
  )
  if (classes.length === 0) return []
  return [
    `import { wrapObject } from './${OBJECT_CLASS}.js'`,
    ...classes.flatMap(({ name }, i) => [
      `const class${i} = wrapObject(user[${JSON.stringify(name)}])`,
      `export { class${i} as ${JSON.stringify(name)} }`,
    ]),
  ]
}

/** Classes of workflows as they run. */
function toWorkflowClasses({ exports }: CodeVersion): string[] {
  const classes = exports.filter(({ name, kind }) => name !== 'default' && kind === 'workflow')
  if (classes.length === 0) return []
  return [
    `import { wrapWorkflow } from './${WORKFLOW_CLASS}.js'`,
    ...classes.flatMap(({ name }, i) => [
      `const workflow${i} = wrapWorkflow(user[${JSON.stringify(name)}])`,
      `export { workflow${i} as ${JSON.stringify(name)} }`,
    ]),
  ]
}

/**
 * Puts facades in the place of what `bind` gave, in the very `env` that handlers, entrypoints and importers see.
 * It runs before the user's modules do.
 */
function toEnvModule(facades: ReadonlyMap<string, Facade>, { caches, objects }: Extras): string {
  const names = [...new Set([...facades.values()].map(({ name }) => name))]
  const imports = names.map((name, i) => `import { create as create${i} } from './${name}.js'`)
  const lines = [...facades].map(([binding, { name }]) => {
    const key = JSON.stringify(binding)
    return `env[${key}] = create${names.indexOf(name)}(env[${key}], ${key}, env)`
  })
  if (objects) {
    imports.push(`import { exportNamespaces } from './${OBJECT_CLASS}.js'`)
    lines.push(`exportNamespaces(env['${OBJECTS}'])`, `delete env['${OBJECTS}']`)
  }
  if (caches) {
    imports.push(`import { install } from './caches.js'`)
    lines.push(`install(env['${CACHES}'])`, `delete env['${CACHES}']`)
  }
  return [`import { env } from 'cloudflare:workers'`, ...imports, ...lines, ''].join('\n')
}

function partsOf(version: Pick<CodeVersion, 'bindings'>): PartBinding[] {
  return (version.bindings ?? []).filter(
    binding => binding.type === 'wasm_module' || binding.type === 'text_blob' || binding.type === 'data_blob',
  )
}

function specifier(name: string): string {
  return JSON.stringify(`../${name.replace(/^(\.\/)+/, '')}`)
}

function parseJson(name: string, bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decode(bytes))
  } catch (error) {
    throw new SkerryError(
      'ERR_UPLOAD_MODULE',
      `The module "${name}" is not valid JSON: ${error instanceof Error ? error.message : error}`,
    )
  }
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}

function toArrayBuffer(bytes: Uint8Array): ArrayBuffer {
  if (bytes.buffer instanceof ArrayBuffer && bytes.byteLength === bytes.buffer.byteLength) return bytes.buffer
  return new Uint8Array(bytes).buffer
}

/** Drops comments that have lines of their own, and indentation. `//#` isn't one: text that names its source has it. */
function withoutComments(source: string): string {
  return (
    source
      .replace(/^\s*\/\*\*[\s\S]*?\*\/$/gm, '')
      // But `//# sourceURL`, which is in a text of many lines.
      .replace(/^\s*(?:\/\/(?!#).*)?\n/gm, '')
      .replace(/^ +/gm, '')
  )
}

/** FNV-1a, 32 bits: tells two preludes apart, nothing more. */
function fingerprint(text: string): string {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return (hash >>> 0).toString(36)
}
