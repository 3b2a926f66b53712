import { Agent, type IncomingMessage, request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'

/** A function that has done nothing: it says its name, which is a secret, and what it was asked. */
export const NEIGHBOUR = `export default {
  fetch(request, env) {
    const { pathname } = new URL(request.url)
    if (pathname === '/seen') return Response.json([...request.headers])
    return new Response(env.NAME + ' ' + pathname)
  },
}`

/** What callers of the neighbour met meanwhile. */
export interface NeighbourReport {
  readonly requests: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
  /** Requests without the answer that they must get, one line each. */
  readonly wrong: readonly string[]
  /** Requests that were under way when their process was lost, told so: 503 `ERR_EDGE_LOST`. */
  readonly lost: number
  /** Sent once more over a new connection, as browsers do when an idle one turns out to be closed. */
  readonly retried: number
}

interface Sample {
  ms: number
  wrong?: string
  retried: boolean
}

/**
 * As one service's pool of connections: kept alive, the one used last first, a new one where all are in use. One is
 * enough for the rate most of the time. Those kept may all be to the edge that hangs, and each holds one request then.
 */
const MAX_CONNECTIONS = 16
const KEPT_CONNECTIONS = 4
const TICK_MS = 4
const GIVE_UP_MS = 5000

/**
 * Calls a function at a steady rate, whatever becomes of the calls before: each is timed from when it was due, so
 * that waiting for a connection counts.
 */
export class Neighbour {
  readonly #target: { readonly port: number; readonly host: string; readonly name: string }
  readonly #perSecond: number
  readonly #agent = new Agent({
    keepAlive: true,
    maxSockets: MAX_CONNECTIONS,
    maxFreeSockets: KEPT_CONNECTIONS,
  })
  #samples: Promise<Sample>[] = []
  #timer: NodeJS.Timeout | undefined
  #sent = 0

  constructor(target: { port: number; host: string; name: string }, perSecond = 250) {
    this.#target = target
    this.#perSecond = perSecond
  }

  /** Calls until stopped. Resolves when its connections are open. */
  async start(): Promise<void> {
    await Promise.all(Array.from({ length: KEPT_CONNECTIONS }, () => this.#call(performance.now())))
    const startedAtMs = performance.now()
    let due = 0
    this.#timer = setInterval(() => {
      const nowMs = performance.now()
      for (; startedAtMs + (due * 1000) / this.#perSecond <= nowMs; due++) {
        this.#samples.push(this.#call(startedAtMs + (due * 1000) / this.#perSecond))
      }
    }, TICK_MS)
  }

  /** What the calls met that were due while something was done, and for `atLeastMs`. */
  async during(something: () => Promise<void>, atLeastMs: number): Promise<NeighbourReport> {
    this.#samples = []
    await Promise.all([something(), delay(atLeastMs)])
    return toReport(await Promise.all(this.#samples))
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#agent.destroy()
  }

  async #call(dueAtMs: number): Promise<Sample> {
    const path = `/${++this.#sent}`
    const expected = `200 ${this.#target.name} ${path}`
    const first = await this.#send(path, this.#agent)
    const second = first === 'closed' ? await this.#send(path, false) : undefined
    const got = second ?? first
    const ms = performance.now() - dueAtMs
    return { ms, retried: second !== undefined, ...(got !== expected && { wrong: `${path}: ${got}` }) }
  }

  #send(path: string, agent: Agent | false): Promise<string> {
    const { port, host } = this.#target
    return new Promise(resolve => {
      const signal = AbortSignal.timeout(GIVE_UP_MS)
      const outgoing = request({ host: '127.0.0.1', port, path, headers: { host }, agent, signal })
      outgoing.on('response', incoming => resolve(readAnswer(incoming)))
      // A kept connection that breaks before the first byte of an answer: it had been closed before.
      outgoing.on('error', (error: NodeJS.ErrnoException) => {
        const isStale = outgoing.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE')
        resolve(isStale ? 'closed' : `broken: ${error.message}`)
      })
      outgoing.end()
    })
  }
}

async function readAnswer(incoming: IncomingMessage): Promise<string> {
  let text = `${incoming.statusCode} `
  try {
    for await (const chunk of incoming.setEncoding('utf8')) text += chunk
  } catch (error) {
    return `broken in the middle: ${error instanceof Error ? error.message : error}`
  }
  return text
}

function toReport(samples: readonly Sample[]): NeighbourReport {
  const times = samples.map(({ ms }) => ms).sort((a, b) => a - b)
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0
  return {
    requests: samples.length,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    maxMs: at(1),
    wrong: samples.flatMap(({ wrong }) => (wrong === undefined || isLost(wrong) ? [] : wrong)),
    lost: samples.filter(({ wrong }) => wrong !== undefined && isLost(wrong)).length,
    retried: samples.filter(({ retried }) => retried).length,
  }
}

function isLost(wrong: string): boolean {
  return /^\S+ 503 .*"code":"ERR_EDGE_LOST"/.test(wrong)
}
