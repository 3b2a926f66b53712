import { type RequestOptions, request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { toLocalAddress } from './options.ts'

/** Where and as whom to ask for health. */
export interface HealthTarget {
  /** The address listened on. */
  readonly host: string
  readonly port: number
  /** Sent as Host. Node's fetch can't set it, and `*.localhost` doesn't resolve in Node: hence node:http. */
  readonly domain: string
}

/** The status of `GET /healthz`, or what went wrong instead. One try of at most `timeoutMs`. */
export function probeHealth(
  { host, port, domain }: HealthTarget,
  timeoutMs: number,
): Promise<number | string> {
  const headers = { host: `${domain}:${port}` }
  return send({ host: toLocalAddress(host), port, path: '/healthz', headers }, timeoutMs)
}

function send(options: RequestOptions, timeoutMs: number): Promise<number | string> {
  return new Promise(resolve => {
    const signal = AbortSignal.timeout(timeoutMs)
    const req = request({ ...options, agent: false, signal }, response => {
      response.resume()
      resolve(response.statusCode ?? 'no status')
    })
    req.on('error', error =>
      resolve(
        error.name === 'TimeoutError' || error.name === 'AbortError'
          ? `no answer in ${timeoutMs} ms`
          : error.message,
      ),
    )
    req.end()
  })
}

/**
 * Waits until the platform says that it accepts deploys and requests. Resolves to `undefined` then, to the last
 * answer when `deadlineMs` have passed or `signal` is aborted.
 */
export async function waitUntilHealthy(
  target: HealthTarget,
  deadlineMs: number,
  signal?: AbortSignal,
): Promise<number | string | undefined> {
  const endMs = performance.now() + deadlineMs
  for (;;) {
    const answer = await probeHealth(target, 1000)
    if (answer === 200) return undefined
    if (signal?.aborted || performance.now() >= endMs) return answer
    await delay(20)
  }
}

/** A process whose health is waited for. */
export interface Awaited {
  /** Its health socket, under the name by which it opens it, and under its real one. */
  readonly openedAs: string
  readonly socketPath: string
  /** Gives its sockets their real names; called once, when it listens. */
  publish(): void
}

/**
 * Waits until a process says on its health socket that it can serve. Resolves as `waitUntilHealthy` does.
 *
 * It is told when its sockets have their names: what others tried to tell it before, it has to ask for.
 */
export async function waitUntilReady(
  { openedAs, socketPath, publish }: Awaited,
  deadlineMs: number,
  signal: AbortSignal,
): Promise<number | string | undefined> {
  const endMs = performance.now() + deadlineMs
  for (let isPublished = false; ; ) {
    const asked = isPublished ? { socketPath, path: '/?published' } : { socketPath: openedAs, path: '/' }
    const answer = await send(asked, 1000)
    if (isPublished && answer === 200) return undefined
    if (!isPublished && typeof answer === 'number') {
      publish()
      isPublished = true
      continue
    }
    if (signal.aborted || performance.now() >= endMs) return answer
    await delay(10)
  }
}
