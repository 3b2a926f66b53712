import { request } from 'node:http'

/** What the state process said on its ops socket. */
export interface OpsAnswer {
  readonly status: number
  readonly text: string
}

/**
 * Sends JSON to the state process, on its ops socket.
 *
 * @throws (rejects) when it can't be reached, breaks off, or at `signal`
 */
export function sendOps(
  socketPath: string,
  method: 'PUT' | 'POST',
  path: string,
  body: string,
  signal: AbortSignal = AbortSignal.timeout(TIMEOUT_MS),
): Promise<OpsAnswer> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    const req = request({ socketPath, method, path, headers, agent: false, signal }, async response => {
      try {
        let text = ''
        for await (const chunk of response.setEncoding('utf8')) text += chunk
        resolve({ status: response.statusCode ?? 0, text })
      } catch (error) {
        reject(error)
      }
    })
    req.on('error', reject).end(body)
  })
}

const TIMEOUT_MS = 2000
