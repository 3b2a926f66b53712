import { setTimeout as delay } from 'node:timers/promises'
import { type Answer, Caller } from './caller.ts'
import { toUploadForm } from './client.ts'
import type { Verdicts } from './crash-verdicts.ts'
import { callEdge, edgesOf } from './edges.ts'
import type { RunningPlatform } from './platform.ts'

/** Changes that the platform acknowledged; `ticks` are those of the cron that were run. */
export interface Acknowledged {
  readonly deploys: number
  readonly newScripts: number
  readonly kvPuts: number
  readonly functionPuts: number
  readonly secrets: number
  readonly ticks: number
}

/** A value that only grows: what was acknowledged last, and what was sent last. */
interface Counter {
  sent: number
  acknowledged: number
}

const NAMESPACE = 'c4a54000000000000000000000000000'
const VALUES = `$A/storage/kv/namespaces/${NAMESPACE}/values`
const APP = '$A/workers/scripts/app'
const BINDING = { type: 'kv_namespace', name: 'KV', namespace_id: NAMESPACE }
const MINUTE_MS = 60_000
/** A run that was killed starts again after at most five seconds; what no edge could run, after up to four. */
const TICK_LATE_MS = 15_000
/** An isolate each at the end; a process holds no more than about two thousand. */
const CALLED_AT_END = 300

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
const TICKER = `export default {
  async scheduled({ scheduledTime }, env) { await env.KV.put('tick-' + scheduledTime, 'ran') },
}`

/** A stream of changes, each kind one after the other, and what is known of them. */
export class Load {
  readonly #platform: () => RunningPlatform
  readonly #verdicts: Verdicts
  readonly #deploys: Counter = { sent: 0, acknowledged: 0 }
  readonly #secrets: Counter = { sent: 0, acknowledged: 0 }
  readonly #versions: string[] = []
  readonly #born: number[] = []
  readonly #kv = new Map<string, string>()
  readonly #fromFunction = new Map<string, string>()
  #births = 0
  #next = 0
  #ticks = 0
  #tickingSinceMs = 0
  #isRunning = false

  constructor(platform: () => RunningPlatform, verdicts: Verdicts) {
    this.#platform = platform
    this.#verdicts = verdicts
  }

  async prepare(): Promise<void> {
    const platform = this.#platform()
    await platform.upload('writer', WRITER, { bindings: [BINDING] })
    await platform.upload('ticker', TICKER, { bindings: [BINDING] })
    const { success } = await platform.api('PUT', '$A/workers/scripts/ticker/schedules', [
      { cron: '* * * * *' },
    ])
    this.#tickingSinceMs = Date.now()
    const caller = new Caller({ port: platform.port })
    const isDeployed = await this.#count(this.#deploys, n => this.#deploy(caller, n))
    caller.close()
    if (!success || !isDeployed) throw new Error('the first deploys failed')
  }

  /** Sends changes until paused. */
  run(): Promise<unknown> {
    this.#isRunning = true
    const { port } = this.#platform()
    const stream = async (keepAlive: boolean, change: (caller: Caller) => Promise<boolean>) => {
      const caller = new Caller({ port }, { keepAlive })
      while (this.#isRunning) if (!(await change(caller))) await delay(10)
      caller.close()
    }
    return Promise.all([
      stream(true, caller => this.#count(this.#deploys, n => this.#deploy(caller, n))),
      stream(false, caller => this.#count(this.#secrets, n => this.#putSecret(caller, n))),
      stream(true, caller => this.#createScript(caller)),
      stream(false, caller => this.#putThroughApi(caller)),
      stream(true, caller => this.#putThroughFunction(caller)),
    ])
  }

  async pause(running: Promise<unknown>): Promise<void> {
    this.#isRunning = false
    await running
  }

  acknowledged(): Acknowledged {
    return {
      deploys: this.#versions.length,
      newScripts: this.#born.length,
      kvPuts: this.#kv.size,
      functionPuts: this.#fromFunction.size,
      secrets: this.#secrets.acknowledged,
      ticks: this.#ticks,
    }
  }

  /** What can be checked quickly: the newest of everything, on every edge. */
  async check(when: string): Promise<void> {
    await this.#checkApp(when)
    await this.#checkValues(when, [...this.#kv].slice(-10), [...this.#fromFunction].slice(-10))
    for (const n of this.#born.slice(-2)) await this.#checkBorn(when, n)
    const live = await this.#platform().read(`newborn-${this.#births}`)
    if (!live.startsWith('404 ') && live !== `born ${this.#births}`)
      this.#verdicts.blame(when, `a new script answers ${live}`)
  }

  async checkEverything(): Promise<void> {
    const when = 'at the end'
    await this.#checkTicks(when)
    await this.#checkValues(when, [...this.#kv], [...this.#fromFunction])
    for (const n of this.#born.slice(-CALLED_AT_END)) await this.#checkBorn(when, n)
    for (const n of this.#born.slice(0, -CALLED_AT_END)) {
      const path = `$A/workers/scripts/newborn-${n}/deployments`
      const { result } = await this.#platform().api<{ deployments: unknown[] }>('GET', path)
      if (result?.deployments.length !== 1) this.#verdicts.blame(when, `newborn-${n} is not deployed`)
    }
    const present = new Set<string>()
    for (let page = 1; ; page++) {
      const path = `${APP}/versions?page=${page}&per_page=100`
      const { result } = await this.#platform().api<{ items: { id: string }[] }>('GET', path)
      if (result.items.length === 0) break
      for (const { id } of result.items) present.add(id)
    }
    for (const id of this.#versions)
      if (!present.has(id)) this.#verdicts.blame(when, `the version ${id} is gone`)
  }

  async #count(counter: Counter, change: (n: number) => Promise<boolean>): Promise<boolean> {
    const n = ++counter.sent
    const isAcknowledged = await change(n)
    if (isAcknowledged) counter.acknowledged = n
    return isAcknowledged
  }

  async #deploy(caller: Caller, n: number): Promise<boolean> {
    const bindings = [{ type: 'plain_text', name: 'N', text: String(n) }, BINDING]
    const form = toUploadForm(codeOf(n), { bindings, keep_bindings: ['secret_text'] })
    const answer = await this.#change(caller, 'PUT', APP, form)
    if (answer) this.#versions.push((answer as { deployment_id: string }).deployment_id)
    return answer !== undefined
  }

  async #putSecret(caller: Caller, n: number): Promise<boolean> {
    const body = JSON.stringify({ name: 'SECRET', text: String(n), type: 'secret_text' })
    const answer = await this.#change(caller, 'PUT', `${APP}/secrets`, body, 'application/json')
    return answer !== undefined
  }

  async #createScript(caller: Caller): Promise<boolean> {
    const n = ++this.#births
    const bindings = [
      { type: 'plain_text', name: 'N', text: String(n) },
      // Adopted with the deploy.
      { type: 'kv_namespace', name: 'KV', namespace_id: `b0${n}` },
    ]
    const form = toUploadForm(`export default { fetch: (_, env) => new Response('born ' + env.N) }`, {
      bindings,
    })
    const answer = await this.#change(caller, 'PUT', `$A/workers/scripts/newborn-${n}`, form)
    if (answer) this.#born.push(n)
    return answer !== undefined
  }

  async #putThroughApi(caller: Caller): Promise<boolean> {
    const key = `api-${this.#next++}`
    const value = `${key} ${'x'.repeat(this.#next % 7 === 0 ? 40_000 : 10)}`
    const answer = await this.#change(caller, 'PUT', `${VALUES}/${key}`, value, 'text/plain')
    if (answer !== undefined) this.#kv.set(key, value)
    return answer !== undefined
  }

  async #putThroughFunction(caller: Caller): Promise<boolean> {
    const key = `fn-${this.#next++}`
    const host = `writer.localhost:${this.#platform().port}`
    const answer = await caller.call(host, `/${key}`, { method: 'PUT', body: key })
    const isRight = answer.status === 200 && answer.text === key
    if (isRight) this.#fromFunction.set(key, key)
    else this.#verdicts.note(`a put of ${key} by a function`, answer)
    return isRight
  }

  /** The result of a change that was acknowledged; `undefined` = it wasn't. */
  async #change(
    caller: Caller,
    method: string,
    path: string,
    body: FormData | string,
    type?: string,
  ): Promise<unknown> {
    const { port, token, accountId } = this.#platform()
    const encoded = new Response(body)
    const headers = {
      authorization: `Bearer ${token}`,
      'content-type': type ?? encoded.headers.get('content-type') ?? '',
    }
    const full = `/client/v4${path.replace('$A', `/accounts/${accountId}`)}`
    const init = { method, headers, body: await encoded.text() }
    const answer = await caller.call(`localhost:${port}`, full, init)
    const result = resultOf(answer)
    if (result === undefined) this.#verdicts.note(`${method} ${path}`, answer)
    return result
  }

  async #checkApp(when: string): Promise<void> {
    for (const edge of edgesOf(this.#platform())) {
      const { text } = await callEdge(this.#platform(), edge, 'app')
      const { code, variable, secret } = parse(text)
      if (code !== variable)
        this.#verdicts.blame(when, `${edge}: code ${code} runs with the variable of ${variable}: ${text}`)
      this.#checkWithin(when, `${edge}: code`, code, this.#deploys)
      this.#checkWithin(when, `${edge}: secret`, secret, this.#secrets)
    }
    type Settings = { bindings: { name: string; text?: string }[] }
    const { result } = await this.#platform().api<Settings>('GET', `${APP}/settings`)
    const stored = Number(result?.bindings?.find(({ name }) => name === 'N')?.text)
    this.#checkWithin(when, 'by the API, code', stored, this.#deploys)
    type Deployments = { deployments: { versions: { version_id: string }[] }[] }
    const { result: list } = await this.#platform().api<Deployments>('GET', `${APP}/deployments`)
    for (const { versions } of list.deployments.slice(0, 3)) {
      for (const { version_id } of versions) {
        const { status } = await this.#platform().api('GET', `${APP}/versions/${version_id}`)
        if (status !== 200)
          this.#verdicts.blame(when, `a deployment names the version ${version_id}, which is not there`)
      }
    }
  }

  #checkWithin(when: string, what: string, seen: number | undefined, { sent, acknowledged }: Counter): void {
    if (seen !== undefined && seen >= acknowledged && seen <= sent) return
    this.#verdicts.blame(when, `${what} is ${seen}; acknowledged was ${acknowledged}, sent ${sent}`)
  }

  async #checkBorn(when: string, n: number): Promise<void> {
    const text = await this.#platform().read(`newborn-${n}`)
    if (text !== `born ${n}`) this.#verdicts.blame(when, `newborn-${n} answers ${text.slice(0, 200)}`)
  }

  async #checkValues(
    when: string,
    kv: readonly (readonly [string, string])[],
    fromFunction: readonly (readonly [string, string])[],
  ): Promise<void> {
    // The function sees what the API wrote, and the API what the function wrote.
    for (const [key, value] of kv) {
      const text = await this.#platform().read('writer', `/${key}`)
      if (text !== value) this.#verdicts.blame(when, `${key} holds ${text.slice(0, 80)}`)
    }
    for (const [key, value] of fromFunction) {
      const text = await this.#readValue(key)
      if (text !== value) this.#verdicts.blame(when, `${key} holds ${text.slice(0, 80)}`)
    }
  }

  async #checkTicks(when: string): Promise<void> {
    const lastMs = Date.now() - TICK_LATE_MS
    const firstMs = Math.ceil(this.#tickingSinceMs / MINUTE_MS) * MINUTE_MS
    for (let minute = firstMs; minute <= lastMs; minute += MINUTE_MS) {
      const text = await this.#readValue(`tick-${minute}`)
      if (text === 'ran') this.#ticks++
      else this.#verdicts.blame(when, `the cron did not run at ${new Date(minute).toISOString()}: ${text}`)
    }
  }

  async #readValue(key: string): Promise<string> {
    const { token, accountId } = this.#platform()
    const path = `/client/v4${VALUES.replace('$A', `/accounts/${accountId}`)}/${key}`
    const headers = { authorization: `Bearer ${token}` }
    return (await this.#platform().fetch('127.0.0.1', path, { headers })).text()
  }
}

function resultOf({ status, text }: Answer): unknown {
  if (status !== 200) return undefined
  const { success, result } = JSON.parse(text) as { success: boolean; result: unknown }
  return success ? (result ?? {}) : undefined
}

function parse(text: string): { code?: number; variable?: number; secret?: number } {
  try {
    return JSON.parse(text)
  } catch {
    return {}
  }
}
