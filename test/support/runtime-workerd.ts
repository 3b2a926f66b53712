import type { ProbeResult } from '../../runtime/probe.ts'
import type { ExportRef, ModuleType } from '../../src/core/manifest.ts'
import type { EventResult } from '../../src/core/outcome.ts'
import type { TestScript } from '../worker/runtime.ts'
import { bundleModule, startWorkerd, type TestWorker, type Workerd } from './workerd.ts'

/** A script for a test: texts are ES modules unless said otherwise, and the first module is the main one. */
export interface ScriptSource extends Omit<TestScript, 'modules' | 'mainModule'> {
  readonly modules: Readonly<Record<string, string | readonly [ModuleType, string | Uint8Array]>>
}

/** A workerd whose main Worker loads scripts as the platform does; see `test/worker/runtime.ts`. */
export interface RuntimeHost extends Workerd {
  probe(source: ScriptSource | string): Promise<ProbeResult>
  /** Probes and keeps a script; a failed probe throws its message. */
  deploy(name: string, source: ScriptSource | string): Promise<ExportRef[]>
  /** The text of a deployed script's answer; with the status in front unless it is 200. */
  run(name: string, path?: string, headers?: Record<string, string>): Promise<string>
  /** A call of the harness, over JSON. */
  call<T = EventResult>(
    verb: 'describe' | 'evict' | 'scheduled' | 'native-scheduled',
    name: string,
  ): Promise<T>
  /** How often isolates were loaded by `run` and `call`. */
  loads(): Promise<number>
}

/** Starts that workerd; `workers` run beside it, unloaded, to compare with. */
export async function startRuntimeHost(
  workers: Readonly<Record<string, TestWorker>> = {},
): Promise<RuntimeHost> {
  const host = await startWorkerd({
    modules: { 'worker.js': await bundleModule('test/worker/runtime.ts') },
    compatibilityFlags: ['experimental', 'service_binding_extra_handlers'],
    bindings: [
      { name: 'LOADER', workerLoader: { id: 'functions' } },
      ...Object.keys(workers).map(name => ({ name, service: name })),
    ],
    workers,
  })
  const post = async (path: string, body: unknown): Promise<unknown> => {
    const response = await host.fetch(path, { method: 'POST', body: JSON.stringify(body) })
    const text = await response.text()
    if (response.status !== 200) throw new Error(text)
    return JSON.parse(text)
  }
  return {
    ...host,
    probe: async source => (await post('/probe', toScript(source))) as ProbeResult,
    deploy: async (name, source) => {
      const result = (await post(`/deploy/${name}`, toScript(source))) as ProbeResult
      if (!result.ok) throw new Error(result.message)
      return result.exports
    },
    run: async (name, path = '/', headers = {}) => {
      const response = await host.fetch(`/run/${name}${path}`, { headers })
      const text = await response.text()
      return response.status === 200 ? text : `${response.status} ${text}`
    },
    call: async (verb, name) => (await post(`/${verb}/${name}`, {})) as never,
    loads: async () => (await post('/loads', {})) as number,
  }
}

function toScript(source: ScriptSource | string): TestScript {
  const { modules, ...rest } = typeof source === 'string' ? { modules: { 'index.js': source } } : source
  const entries = Object.entries(modules).map(([name, module]) => {
    const [type, content] = typeof module === 'string' ? (['esm', module] as const) : module
    return [name, { type, base64: Buffer.from(content).toString('base64') }] as const
  })
  return { ...rest, mainModule: entries[0]?.[0] ?? '', modules: Object.fromEntries(entries) }
}
