import type { ServiceConfig } from '../../host/config.ts'
import type { ProbeResult } from '../../runtime/startup-report.ts'
import type { ExportRef, ModuleType } from '../../src/core/manifest.ts'
import type { EventResult } from '../../src/core/outcome.ts'
import type { TestScript } from '../worker/runtime-script.ts'
import { bundleModule, startWorkerd, type TestWorker, type Workerd } from './workerd.ts'

/** A script for a test: texts are ES modules unless said otherwise, and the first module is the main one. */
export interface ScriptSource extends Omit<TestScript, 'modules' | 'mainModule'> {
  readonly modules: Readonly<Record<string, string | readonly [ModuleType, string | Uint8Array]>>
}

/** `entrypoint` in the headers names an entrypoint of the script. */
export interface RequestOptions {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: string
}

/** A workerd whose main Worker loads scripts as the platform does; see `test/worker/runtime.ts`. */
export interface RuntimeHost extends Workerd {
  probe(source: ScriptSource | string): Promise<ProbeResult>
  /** Probes and keeps a script; a failed probe throws its message. */
  deploy(name: string, source: ScriptSource | string): Promise<ExportRef[]>
  /** The text of a deployed script's answer; with the status in front unless it is 200. */
  run(name: string, path?: string, init?: RequestOptions): Promise<string>
  /** The same of a native script. */
  runNative(name: string, path?: string, init?: RequestOptions): Promise<string>
  /** A call of the harness, over JSON. */
  call<T = EventResult>(
    verb: 'code' | 'describe' | 'evict' | 'scheduled' | 'native-scheduled' | 'queue' | 'native-queue',
    name: string,
  ): Promise<T>
  /** How often isolates were loaded by `run` and `call`. */
  loads(): Promise<number>
}

/** What workerd runs by itself beside it, to compare with; each answers under `/native/<name>/`. */
export interface NativeScripts {
  readonly workers?: Readonly<Record<string, TestWorker>>
  /** Scripts in service-worker syntax. */
  readonly scripts?: Readonly<Record<string, { readonly source: string; readonly compatibilityDate: string }>>
}

/** Starts that workerd. */
export async function startRuntimeHost({
  workers = {},
  scripts = {},
}: NativeScripts = {}): Promise<RuntimeHost> {
  const host = await startWorkerd({
    modules: { 'worker.js': await bundleModule('test/worker/runtime.ts') },
    compatibilityFlags: ['experimental', 'service_binding_extra_handlers'],
    bindings: [
      { name: 'LOADER', workerLoader: { id: 'functions' } },
      ...Object.keys({ ...workers, ...scripts }).map(name => ({ name, service: name })),
    ],
    workers,
    services: Object.entries(scripts).map(([name, script]) => toScriptService(name, script)),
  })
  const post = async (path: string, body: unknown): Promise<unknown> => {
    const response = await host.fetch(path, { method: 'POST', body: JSON.stringify(body) })
    const text = await response.text()
    if (response.status !== 200) throw new Error(text)
    return JSON.parse(text)
  }
  const read = async (path: string, init?: RequestOptions): Promise<string> => {
    const response = await host.fetch(path, init)
    const text = await response.text()
    return response.status === 200 ? text : `${response.status} ${text}`
  }
  return {
    ...host,
    probe: async source => (await post('/probe', toScript(source))) as ProbeResult,
    deploy: async (name, source) => {
      const result = (await post(`/deploy/${name}`, toScript(source))) as ProbeResult
      if (!result.ok) throw new Error(result.message)
      return result.exports
    },
    run: (name, path, init) => read(`/run/${name}${path ?? '/'}`, init),
    runNative: (name, path, init) => read(`/native/${name}${path ?? '/'}`, init),
    call: async (verb, name) => (await post(`/${verb}/${name}`, {})) as never,
    loads: async () => (await post('/loads', {})) as number,
  }
}

function toScriptService(
  name: string,
  script: { readonly source: string; readonly compatibilityDate: string },
): ServiceConfig {
  const worker = {
    serviceWorkerScript: script.source,
    compatibilityDate: script.compatibilityDate,
    bindings: [{ name: 'GREETING', text: 'hello' }],
    globalOutbound: { name: 'main', entrypoint: 'Origin' },
  }
  // The platform's own configurations have only modules.
  return { name, worker } as unknown as ServiceConfig
}

function toScript(source: ScriptSource | string): TestScript {
  const { modules, ...rest } = typeof source === 'string' ? { modules: { 'index.js': source } } : source
  const entries = Object.entries(modules).map(([name, module]) => {
    const [type, content] = typeof module === 'string' ? (['esm', module] as const) : module
    return [name, { type, base64: Buffer.from(content).toString('base64') }] as const
  })
  return { ...rest, mainModule: entries[0]?.[0] ?? '', modules: Object.fromEntries(entries) }
}
