import { APP, type Counter, type Ledger, VALUES } from './crash-ledger.ts'
import type { Verdicts } from './crash-verdicts.ts'
import { callEdge, edgesOf } from './edges.ts'
import type { RunningPlatform } from './platform.ts'

const MINUTE_MS = 60_000
/** A run that was killed starts again after at most five seconds; what no edge could run, after up to four. */
const TICK_LATE_MS = 15_000
/** An isolate each at the end; of the others the API is asked. */
const CALLED_AT_END = 300

/** Looks whether all that was acknowledged is there, and nothing is half-applied. */
export class Checks {
  readonly #platform: () => RunningPlatform
  readonly #verdicts: Verdicts
  readonly #ledger: Ledger

  constructor(platform: () => RunningPlatform, verdicts: Verdicts, ledger: Ledger) {
    this.#platform = platform
    this.#verdicts = verdicts
    this.#ledger = ledger
  }

  /** What can be checked quickly: the newest of everything, on every edge. */
  async newest(when: string): Promise<void> {
    await this.#checkApp(when)
    await this.#checkValues(
      when,
      [...this.#ledger.fromApi].slice(-10),
      [...this.#ledger.fromFunction].slice(-10),
    )
    for (const n of this.#ledger.born.slice(-2)) await this.#checkBorn(when, n)
    const live = await this.#platform().read(`newborn-${this.#ledger.births}`)
    if (!live.startsWith('404 ') && live !== `born ${this.#ledger.births}`)
      this.#verdicts.blame(when, `a new script answers ${live}`)
  }

  /** All that was ever acknowledged. */
  async everything(): Promise<void> {
    const when = 'at the end'
    await this.#checkTicks(when)
    await this.#checkValues(when, [...this.#ledger.fromApi], [...this.#ledger.fromFunction])
    for (const n of this.#ledger.born.slice(-CALLED_AT_END)) await this.#checkBorn(when, n)
    for (const n of this.#ledger.born.slice(0, -CALLED_AT_END)) {
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
    for (const id of this.#ledger.versions)
      if (!present.has(id)) this.#verdicts.blame(when, `the version ${id} is gone`)
  }

  async #checkApp(when: string): Promise<void> {
    for (const edge of edgesOf(this.#platform())) {
      const { text } = await callEdge(this.#platform(), edge, 'app')
      const { code, variable, secret } = parse(text)
      if (code !== variable)
        this.#verdicts.blame(when, `${edge}: code ${code} runs with the variable of ${variable}: ${text}`)
      this.#checkWithin(when, `${edge}: code`, code, this.#ledger.deploys)
      this.#checkWithin(when, `${edge}: secret`, secret, this.#ledger.secrets)
    }
    type Settings = { bindings: { name: string; text?: string }[] }
    const { result } = await this.#platform().api<Settings>('GET', `${APP}/settings`)
    const stored = Number(result?.bindings?.find(({ name }) => name === 'N')?.text)
    this.#checkWithin(when, 'by the API, code', stored, this.#ledger.deploys)
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
    const firstMs = Math.ceil(this.#ledger.tickingSinceMs / MINUTE_MS) * MINUTE_MS
    for (let minute = firstMs; minute <= lastMs; minute += MINUTE_MS) {
      const text = await this.#readValue(`tick-${minute}`)
      if (text === 'ran') this.#ledger.ticks++
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

function parse(text: string): { code?: number; variable?: number; secret?: number } {
  try {
    return JSON.parse(text)
  } catch {
    return {}
  }
}
