import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Origin, startOrigin } from '../../support/origin.ts'

/** What an origin says at a path: headers, and the rest unless it is 200 with a text that tells which answer it is. */
export interface Said {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  readonly body?: string | Uint8Array
}

/** An origin whose answers tests set, and that counts. */
export interface CachedOrigin extends Pick<Origin, 'url' | 'seen' | 'stop'> {
  /** Sets what it says at a path. */
  say(path: string, said: Said | ((request: IncomingMessage) => Said)): void
  /** How often it was asked for a path, whatever the query. */
  count(path: string): number
  /** Holds answers back until the promise is settled. */
  heldBy: Promise<unknown> | undefined
  /** Answers 503 to everything, or breaks every connection. */
  failure: 'none' | 'error' | 'breaks'
}

/** Starts one. Each answer's text is the number of requests for its path so far, in words: `answer 3`. */
export async function startCachedOrigin(): Promise<CachedOrigin> {
  const answers = new Map<string, (request: IncomingMessage) => Said>()
  const counts = new Map<string, number>()
  const origin = await startOrigin((request, response) => void answer(request, response))
  const cached: CachedOrigin = {
    ...{ url: origin.url, seen: origin.seen, stop: origin.stop, heldBy: undefined, failure: 'none' },
    say: (path, said) => void answers.set(path, typeof said === 'function' ? said : () => said),
    count: path => counts.get(path) ?? 0,
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [path = ''] = (request.url ?? '').split('?')
    const count = cached.count(path) + 1
    counts.set(path, count)
    request.resume()
    await cached.heldBy
    if (cached.failure === 'breaks') {
      request.socket.destroy()
      return
    }
    const failed: Said = { status: 503, body: 'down' }
    const {
      status = 200,
      headers = {},
      body,
    } = cached.failure === 'error' ? failed : (answers.get(path)?.(request) ?? {})
    const lines = Object.entries(headers).flatMap(([name, values]) =>
      [values].flat().flatMap(value => [name, value]),
    )
    response.writeHead(status, lines)
    response.end(request.method === 'HEAD' || status === 304 ? undefined : (body ?? `answer ${count}`))
  }

  return cached
}
