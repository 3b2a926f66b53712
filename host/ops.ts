import { request } from 'node:http'

/**
 * Tells the state process something on its ops socket: JSON in, JSON out.
 *
 * @throws when it can't be reached, or answers with another status than 200
 */
export function tellOps(
  socketPath: string,
  method: 'PUT' | 'POST',
  path: string,
  body: object,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json' }
    const signal = AbortSignal.timeout(TIMEOUT_MS)
    const req = request({ socketPath, method, path, headers, agent: false, signal }, async response => {
      try {
        let text = ''
        for await (const chunk of response.setEncoding('utf8')) text += chunk
        if (response.statusCode !== 200) throw new Error(`${method} ${path} answered ${response.statusCode}`)
        resolve(JSON.parse(text))
      } catch (error) {
        reject(error)
      }
    })
    req.on('error', reject).end(JSON.stringify(body))
  })
}

const TIMEOUT_MS = 2000
