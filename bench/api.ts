import { Connection, type Reply, toRequest } from './client.ts'
import { COMPATIBILITY_DATE, type Platform } from './servers.ts'

/** Calls the platform's API by direct HTTP, as wrangler would, over one connection. */
export class Api {
  readonly #connection: Connection
  readonly #headers: Readonly<Record<string, string>>
  #scripts = ''

  private constructor(connection: Connection, token: string) {
    this.#connection = connection
    this.#headers = { authorization: `Bearer ${token}` }
  }

  static async open({ port, token }: Platform): Promise<Api> {
    const api = new Api(await Connection.open(port), token)
    const [account] = (await api.#call('GET', '/accounts')) as { id: string }[]
    api.#scripts = `/accounts/${account?.id}/workers/scripts`
    return api
  }

  /** Uploads a script of one module and sends all traffic to it. */
  async deploy(name: string, source: string): Promise<void> {
    const metadata = { main_module: 'index.js', compatibility_date: COMPATIBILITY_DATE }
    const body = [
      part('metadata', 'application/json', JSON.stringify(metadata)),
      part('index.js', 'application/javascript+module', source, 'index.js'),
      `--${BOUNDARY}--\r\n`,
    ].join('')
    await this.#call('PUT', `${this.#scripts}/${name}`, `multipart/form-data; boundary=${BOUNDARY}`, body)
  }

  /** The id of the version that gets the traffic. */
  async liveVersion(name: string): Promise<string> {
    const { deployments } = (await this.#call('GET', `${this.#scripts}/${name}/deployments`)) as {
      deployments: { versions: { version_id: string }[] }[]
    }
    return deployments[0]?.versions[0]?.version_id ?? ''
  }

  /** Sends all traffic to a version, as `wrangler rollback` does. */
  async roll(name: string, versionId: string): Promise<void> {
    const body = { strategy: 'percentage', versions: [{ version_id: versionId, percentage: 100 }] }
    await this.#call('POST', `${this.#scripts}/${name}/deployments`, 'application/json', JSON.stringify(body))
  }

  /** Puts a gateway file in force. */
  async applyGateway(document: object): Promise<void> {
    await this.#callV1('PUT', '/gateway', JSON.stringify(document))
  }

  async putGatewaySecret(name: string, text: string): Promise<void> {
    await this.#callV1('PUT', `/gateway/secrets/${name}`, JSON.stringify({ text }))
  }

  close(): void {
    this.#connection.close()
  }

  async #callV1(method: string, path: string, body: string): Promise<void> {
    const headers = { ...this.#headers, 'content-type': 'application/json', 'if-match': '*' }
    const url = this.#scripts.replace(/^(.*)\/workers\/scripts$/, `/api/v1$1${path}`)
    const reply = await this.#connection.send(toRequest('localhost', url, { method, headers, body }))
    if (reply.status >= 300) throw new Error(`${method} ${url}: ${reply.status} ${reply.body}`)
  }

  async #call(method: string, path: string, contentType?: string, body?: string): Promise<unknown> {
    const headers = contentType ? { ...this.#headers, 'content-type': contentType } : this.#headers
    const request = toRequest('localhost', `/client/v4${path}`, {
      method,
      headers,
      ...(body !== undefined && { body }),
    })
    return resultOf(await this.#connection.send(request), `${method} ${path}`)
  }
}

const BOUNDARY = 'bench-boundary'

function part(name: string, type: string, content: string, file?: string): string {
  const disposition = `form-data; name="${name}"${file ? `; filename="${file}"` : ''}`
  return `--${BOUNDARY}\r\ncontent-disposition: ${disposition}\r\ncontent-type: ${type}\r\n\r\n${content}\r\n`
}

function resultOf({ status, body }: Reply, call: string): unknown {
  if (status === 200) return (JSON.parse(body) as { result: unknown }).result
  throw new Error(`${call} answered ${status}: ${body}`)
}
