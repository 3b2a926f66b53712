import { setTimeout as delay } from 'node:timers/promises'
import { type Answer, Caller } from './caller.ts'
import { toUploadForm } from './client.ts'
import { APP, type Counter, type Ledger, NAMESPACE, VALUES } from './crash-ledger.ts'
import type { Verdicts } from './crash-verdicts.ts'
import type { RunningPlatform } from './platform.ts'

const BINDING = { type: 'kv_namespace', name: 'KV', namespace_id: NAMESPACE }

/** The code says its number, its variable and its secret: they must fit. */
const codeOf = (n: number) => `export default {
  fetch(_, env) { return Response.json({ code: ${n}, variable: Number(env.N), secret: Number(env.SECRET ?? 0) }) },
}`
const WRITER = `export default {
  async fetch(request, env) {
    const key = new URL(request.url).pathname.slice(1)
    try {
      if (request.method === 'PUT') await env.KV.put(key, await request.text())
      return new Response(await env.KV.get(key))
    } catch (error) {
      return new Response(error.message, { status: 503, headers: { 'retry-after': '1' } })
    }
  },
}`
const TICKER = `export default {
  async scheduled({ scheduledTime }, env) { await env.KV.put('tick-' + scheduledTime, 'ran') },
}`

/** Streams of changes, each kind one after the other; notes what was acknowledged. */
export class Load {
  readonly #platform: () => RunningPlatform
  readonly #verdicts: Verdicts
  readonly #ledger: Ledger
  #next = 0
  #isRunning = false

  constructor(platform: () => RunningPlatform, verdicts: Verdicts, ledger: Ledger) {
    this.#platform = platform
    this.#verdicts = verdicts
    this.#ledger = ledger
  }

  async prepare(): Promise<void> {
    const platform = this.#platform()
    await platform.upload('writer', WRITER, { bindings: [BINDING] })
    await platform.upload('ticker', TICKER, { bindings: [BINDING] })
    const { success } = await platform.api('PUT', '$A/workers/scripts/ticker/schedules', [
      { cron: '* * * * *' },
    ])
    this.#ledger.tickingSinceMs = Date.now()
    const caller = new Caller({ port: platform.port })
    const isDeployed = await this.#count(this.#ledger.deploys, n => this.#deploy(caller, n))
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
      stream(true, caller => this.#count(this.#ledger.deploys, n => this.#deploy(caller, n))),
      stream(false, caller => this.#count(this.#ledger.secrets, n => this.#putSecret(caller, n))),
      stream(true, caller => this.#createScript(caller)),
      stream(false, caller => this.#putThroughApi(caller)),
      stream(true, caller => this.#putThroughFunction(caller)),
    ])
  }

  async pause(running: Promise<unknown>): Promise<void> {
    this.#isRunning = false
    await running
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
    if (answer) this.#ledger.versions.push((answer as { deployment_id: string }).deployment_id)
    return answer !== undefined
  }

  async #putSecret(caller: Caller, n: number): Promise<boolean> {
    const body = JSON.stringify({ name: 'SECRET', text: String(n), type: 'secret_text' })
    const answer = await this.#change(caller, 'PUT', `${APP}/secrets`, body, 'application/json')
    return answer !== undefined
  }

  async #createScript(caller: Caller): Promise<boolean> {
    const n = ++this.#ledger.births
    const bindings = [
      { type: 'plain_text', name: 'N', text: String(n) },
      // Adopted with the deploy.
      { type: 'kv_namespace', name: 'KV', namespace_id: `b0${n}` },
    ]
    const form = toUploadForm(`export default { fetch: (_, env) => new Response('born ' + env.N) }`, {
      bindings,
    })
    const answer = await this.#change(caller, 'PUT', `$A/workers/scripts/newborn-${n}`, form)
    if (answer) this.#ledger.born.push(n)
    return answer !== undefined
  }

  async #putThroughApi(caller: Caller): Promise<boolean> {
    const key = `api-${this.#next++}`
    const value = `${key} ${'x'.repeat(this.#next % 7 === 0 ? 40_000 : 10)}`
    const answer = await this.#change(caller, 'PUT', `${VALUES}/${key}`, value, 'text/plain')
    if (answer !== undefined) this.#ledger.fromApi.set(key, value)
    return answer !== undefined
  }

  async #putThroughFunction(caller: Caller): Promise<boolean> {
    const key = `fn-${this.#next++}`
    const host = `writer.localhost:${this.#platform().port}`
    const answer = await caller.call(host, `/${key}`, { method: 'PUT', body: key })
    const isRight = answer.status === 200 && answer.text === key
    if (isRight) this.#ledger.fromFunction.set(key, key)
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
}

function resultOf({ status, text }: Answer): unknown {
  if (status !== 200) return undefined
  const { success, result } = JSON.parse(text) as { success: boolean; result: unknown }
  return success ? (result ?? {}) : undefined
}
