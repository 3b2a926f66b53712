import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { toUploadForm } from './client.ts'
import { type RunningPlatform, startPlatform } from './platform.ts'

/** How hard to try. */
export interface CrashOptions {
  readonly kills: number
  /** Every wait and choice follows from it. */
  readonly seed: number
  readonly log?: (line: string) => void
}

/** What happened. */
export interface CrashReport {
  readonly kills: { workerd: number; supervisor: number }
  /** Changes that the platform acknowledged, and those cut off by a kill. */
  readonly acknowledged: { deploys: number; kvPuts: number; functionPuts: number; secrets: number }
  readonly interrupted: number
  /** What was lost or half-applied: one line each. */
  readonly violations: string[]
}

/** A value that only grows: what was acknowledged last, and what was sent last. */
interface Counter {
  sent: number
  acknowledged: number
}

const NAMESPACE = 'c4a54000000000000000000000000000'
/** The code says its number, its variable and its secret: they must fit. */
const codeOf = (n: number) => `export default {
  fetch(_, env) { return Response.json({ code: ${n}, variable: Number(env.N), secret: Number(env.SECRET ?? 0) }) },
}`
const WRITER = `export default {
  async fetch(request, env) {
    const key = new URL(request.url).pathname.slice(1)
    if (request.method === 'PUT') await env.KV.put(key, await request.text())
    return new Response(await env.KV.get(key))
  },
}`
const RESTART_MS = 20_000

/**
 * Kills workerd or the supervisor with SIGKILL at random moments while deploys, KV puts and secret puts stream in;
 * after each restart checks that all that was acknowledged is there, and nothing is half-applied.
 */
export async function crash({ kills, seed, log = () => {} }: CrashOptions): Promise<CrashReport> {
  const random = mulberry32(seed)
  const dataDir = mkdtempSync(join(tmpdir(), 'skerry-crash-'))
  let platform = await startPlatform('start', { dataDir })
  const { port } = platform
  const load = new Load(() => platform)
  const killed = { workerd: 0, supervisor: 0 }
  try {
    await load.prepare()
    for (let round = 0; round < kills; round++) {
      const running = load.run()
      await delay(30 + random() * 350)
      // Supervisors more often: each workerd of one supervisor waits longer for its restart.
      if (random() < 0.4) {
        const { workerd } = platform.pids()
        if (workerd) process.kill(workerd, 'SIGKILL')
        killed.workerd++
      } else {
        await platform.kill9()
        platform = await startPlatform('start', { dataDir, port })
        killed.supervisor++
      }
      await waitUntilServing(platform)
      // Some load on the restarted one, too.
      await delay(random() * 100)
      await load.pause(running)
      await load.check(`after kill ${round + 1}`)
      log(
        `${round + 1}/${kills} kills, ${JSON.stringify(load.acknowledged())}, ${load.violations.length} violations`,
      )
    }
    await load.checkEverything()
    return {
      kills: killed,
      acknowledged: load.acknowledged(),
      interrupted: load.interrupted,
      violations: load.violations,
    }
  } finally {
    await platform.stop()
    rmSync(dataDir, { recursive: true, force: true })
  }
}

/** A stream of changes, each kind one after the other, and what is known of them. */
class Load {
  readonly violations: string[] = []
  interrupted = 0
  readonly #platform: () => RunningPlatform
  readonly #deploys: Counter = { sent: 0, acknowledged: 0 }
  readonly #secrets: Counter = { sent: 0, acknowledged: 0 }
  readonly #births: Counter = { sent: 0, acknowledged: 0 }
  readonly #born: number[] = []
  readonly #versions: string[] = []
  readonly #kv = new Map<string, string>()
  readonly #fromFunction = new Map<string, string>()
  #isRunning = false
  #next = 0

  constructor(platform: () => RunningPlatform) {
    this.#platform = platform
  }

  async prepare(): Promise<void> {
    const bindings = [{ type: 'kv_namespace', name: 'KV', namespace_id: NAMESPACE }]
    await this.#platform().upload('writer', WRITER, { bindings })
    if (!(await this.#deploy('app', 0))) throw new Error('the first deploy failed')
  }

  /** Sends changes until paused. */
  run(): Promise<unknown> {
    this.#isRunning = true
    const stream = async (change: () => Promise<boolean>) => {
      while (this.#isRunning) {
        const isAcknowledged = await change().catch(() => false)
        if (isAcknowledged) continue
        this.interrupted++
        await delay(10)
      }
    }
    return Promise.all([
      stream(() => this.#count(this.#deploys, n => this.#deploy('app', n))),
      stream(() => this.#count(this.#secrets, n => this.#putSecret(n))),
      stream(() => this.#createScript()),
      stream(() => this.#putThroughApi()),
      stream(() => this.#putThroughFunction()),
    ])
  }

  async pause(running: Promise<unknown>): Promise<void> {
    this.#isRunning = false
    await running
  }

  acknowledged(): CrashReport['acknowledged'] {
    return {
      deploys: this.#versions.length,
      kvPuts: this.#kv.size,
      functionPuts: this.#fromFunction.size,
      secrets: this.#secrets.acknowledged,
    }
  }

  /** What can be checked quickly: the newest of everything, and a sample of the rest. */
  async check(when: string): Promise<void> {
    await this.#checkApp(when)
    await this.#checkValues(when, [...this.#kv].slice(-20), [...this.#fromFunction].slice(-20))
    for (const n of this.#born.slice(-3)) await this.#checkBorn(when, n)
    const live = await this.#platform().read(`newborn-${this.#births.sent}`)
    if (!live.startsWith('404 ') && live !== `born ${this.#births.sent}`)
      this.#blame(when, `a new script answers ${live}`)
  }

  async checkEverything(): Promise<void> {
    const when = 'at the end'
    await this.#checkValues(when, [...this.#kv], [...this.#fromFunction])
    // An isolate each; a process holds no more than about two thousand.
    for (const n of this.#born.slice(-500)) await this.#checkBorn(when, n)
    for (const n of this.#born.slice(0, -500)) {
      const path = `$A/workers/scripts/newborn-${n}/deployments`
      const { result } = await this.#platform().api<{ deployments: unknown[] }>('GET', path)
      if (result?.deployments.length !== 1) this.#blame(when, `newborn-${n} is not deployed`)
    }
    const present = new Set<string>()
    for (let page = 1; ; page++) {
      const path = `$A/workers/scripts/app/versions?page=${page}&per_page=100`
      const { result } = await this.#platform().api<{ items: { id: string }[] }>('GET', path)
      if (result.items.length === 0) break
      for (const { id } of result.items) present.add(id)
    }
    for (const id of this.#versions) if (!present.has(id)) this.#blame(when, `the version ${id} is gone`)
  }

  async #count(counter: Counter, change: (n: number) => Promise<boolean>): Promise<boolean> {
    const n = ++counter.sent
    const isAcknowledged = await change(n)
    if (isAcknowledged) counter.acknowledged = n
    return isAcknowledged
  }

  async #deploy(script: string, n: number): Promise<boolean> {
    const bindings = [
      { type: 'plain_text', name: 'N', text: String(n) },
      { type: 'kv_namespace', name: 'KV', namespace_id: NAMESPACE },
    ]
    const form = toUploadForm(codeOf(n), { bindings, keep_bindings: ['secret_text'] })
    const { success, result } = await this.#platform().api('PUT', `$A/workers/scripts/${script}`, form)
    if (success) this.#versions.push((result as { deployment_id: string }).deployment_id)
    return success
  }

  async #putSecret(n: number): Promise<boolean> {
    const body = { name: 'SECRET', text: String(n), type: 'secret_text' }
    const { success, result } = await this.#platform().api('PUT', '$A/workers/scripts/app/secrets', body)
    return success && result !== null
  }

  async #createScript(): Promise<boolean> {
    const n = ++this.#births.sent
    const source = `export default { fetch: (_, env) => new Response('born ' + env.N) }`
    const bindings = [
      { type: 'plain_text', name: 'N', text: String(n) },
      // Adopted with the deploy.
      { type: 'kv_namespace', name: 'KV', namespace_id: `b0${n}` },
    ]
    await this.#platform().upload(`newborn-${n}`, source, { bindings })
    this.#born.push(n)
    return true
  }

  async #putThroughApi(): Promise<boolean> {
    const key = `api-${this.#next++}`
    const value = `${key} ${'x'.repeat(this.#next % 7 === 0 ? 40_000 : 10)}`
    const path = `$A/storage/kv/namespaces/${NAMESPACE}/values/${key}`
    const { success } = await this.#platform().api('PUT', path, value)
    if (success) this.#kv.set(key, value)
    return success
  }

  async #putThroughFunction(): Promise<boolean> {
    const key = `fn-${this.#next++}`
    const answer = await this.#platform().call('writer', `/${key}`, { method: 'PUT', body: key })
    const text = await answer.text()
    if (answer.status === 200) this.#fromFunction.set(key, key)
    if (answer.status === 200 && text !== key)
      this.#blame('at a put', `read ${text} right after writing ${key}`)
    return answer.status === 200
  }

  async #checkApp(when: string): Promise<void> {
    const text = await this.#platform().read('app')
    const { code, variable, secret } = parse(text)
    if (code !== variable) this.#blame(when, `code ${code} runs with the variable of ${variable}: ${text}`)
    this.#checkWithin(when, 'code', code, this.#deploys)
    this.#checkWithin(when, 'secret', secret, this.#secrets)

    type Settings = { bindings: { name: string; text?: string }[] }
    const { result } = await this.#platform().api<Settings>('GET', '$A/workers/scripts/app/settings')
    const stored = result?.bindings?.find(({ name }) => name === 'N')?.text
    if (stored !== String(variable)) this.#blame(when, `the API says N = ${stored}, the function ${variable}`)
    type Deployments = { deployments: { versions: { version_id: string }[] }[] }
    const { result: list } = await this.#platform().api<Deployments>(
      'GET',
      '$A/workers/scripts/app/deployments',
    )
    for (const { versions } of list.deployments) {
      for (const { version_id } of versions) {
        const { status } = await this.#platform().api('GET', `$A/workers/scripts/app/versions/${version_id}`)
        if (status !== 200)
          this.#blame(when, `a deployment names the version ${version_id}, which is not there`)
      }
    }
  }

  #checkWithin(when: string, what: string, seen: number | undefined, { sent, acknowledged }: Counter): void {
    if (seen !== undefined && seen >= acknowledged && seen <= sent) return
    this.#blame(when, `${what} is ${seen}; acknowledged was ${acknowledged}, sent ${sent}`)
  }

  async #checkBorn(when: string, n: number): Promise<void> {
    const text = await this.#platform().read(`newborn-${n}`)
    if (text !== `born ${n}`) this.#blame(when, `newborn-${n} answers ${text.slice(0, 200)}`)
  }

  async #checkValues(
    when: string,
    kv: readonly (readonly [string, string])[],
    fromFunction: readonly (readonly [string, string])[],
  ): Promise<void> {
    // The function sees what the API wrote, and the API what the function wrote.
    for (const [key, value] of kv) {
      const text = await this.#platform().read('writer', `/${key}`)
      if (text !== value) this.#blame(when, `${key} holds ${text.slice(0, 80)}`)
    }
    for (const [key, value] of fromFunction) {
      const { accountId, token } = this.#platform()
      const path = `/client/v4/accounts/${accountId}/storage/kv/namespaces/${NAMESPACE}/values/${key}`
      const headers = { authorization: `Bearer ${token}` }
      const text = await (await this.#platform().fetch('127.0.0.1', path, { headers })).text()
      if (text !== value) this.#blame(when, `${key} holds ${text.slice(0, 80)}`)
    }
  }

  #blame(when: string, what: string): void {
    this.violations.push(`${when}: ${what}`)
  }
}

function parse(text: string): { code?: number; variable?: number; secret?: number } {
  try {
    return JSON.parse(text)
  } catch {
    return {}
  }
}

async function waitUntilServing(platform: RunningPlatform): Promise<void> {
  const endMs = performance.now() + RESTART_MS
  for (;;) {
    const signal = AbortSignal.timeout(1000)
    const response = await platform
      .fetch(`localhost:${platform.port}`, '/healthz', { signal })
      .catch(() => undefined)
    if (response?.status === 200) return
    if (performance.now() > endMs)
      throw new Error(`not back after ${RESTART_MS} ms:\n${platform.log().slice(-3000)}`)
    await delay(10)
  }
}

/** A small generator of numbers in [0, 1): the same ones for the same seed. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
