import { Agent, type IncomingMessage, request } from 'node:http'
import type { SendInit, UnixSocket } from './http.ts'

/** What a caller got: an answer, or a connection that broke. */
export interface Answer {
  /** 0 = none: the connection broke, or nothing came in time. */
  readonly status: number
  /** The body; without an answer, what happened. */
  readonly text: string
  readonly retryAfter: string | undefined
  readonly startedAtMs: number
  readonly ms: number
}

/** A caller with one connection at a time: kept alive between its calls, or a fresh one for each. */
export class Caller {
  readonly #to: { readonly host: string; readonly port: number } | UnixSocket
  readonly #agent: Agent | false
  readonly #giveUpMs: number

  constructor(
    to: { readonly port: number } | UnixSocket,
    { keepAlive = true, giveUpMs = 10_000 }: { keepAlive?: boolean; giveUpMs?: number } = {},
  ) {
    this.#to = 'port' in to ? { host: '127.0.0.1', ...to } : to
    this.#agent = keepAlive && new Agent({ keepAlive: true, maxSockets: 1 })
    this.#giveUpMs = giveUpMs
  }

  /** Never rejects, never repeats a request. */
  call(
    host: string,
    path = '/',
    { method = 'GET', headers, body }: Omit<SendInit, 'body'> & { body?: string } = {},
  ): Promise<Answer> {
    const startedAtMs = performance.now()
    const toAnswer = (status: number, text: string, retryAfter?: string): Answer => ({
      ...{ status, text, retryAfter, startedAtMs },
      ms: performance.now() - startedAtMs,
    })
    return new Promise(resolve => {
      const fail = (error: NodeJS.ErrnoException) => {
        const isLate = error.name === 'TimeoutError' || error.name === 'AbortError'
        resolve(toAnswer(0, isLate ? `no answer in ${this.#giveUpMs} ms` : (error.code ?? error.message)))
      }
      const signal = AbortSignal.timeout(this.#giveUpMs)
      const options = { ...this.#to, agent: this.#agent, method, path, headers: { ...headers, host }, signal }
      const outgoing = request(options, incoming => {
        const retryAfter = incoming.headers['retry-after']
        readText(incoming).then(
          text => resolve(toAnswer(incoming.statusCode ?? 0, text, retryAfter)),
          (error: NodeJS.ErrnoException) =>
            resolve(toAnswer(0, `in the body: ${error.code ?? error.message}`)),
        )
      })
      outgoing.on('error', fail)
      outgoing.end(body)
    })
  }

  close(): void {
    if (this.#agent) this.#agent.destroy()
  }
}

async function readText(incoming: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of incoming.setEncoding('utf8')) text += chunk
  return text
}
