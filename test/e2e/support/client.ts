import { join } from 'node:path'
import { type Finished, type RunOptions, runCommand, startCommand } from './command.ts'
import { type Body, request, type SendInit } from './http.ts'
import type { Connection, HostKind } from './platform.ts'

/** Cloudflare's envelope, and the status it came with. */
export interface Envelope<T = unknown> {
  readonly status: number
  readonly success: boolean
  readonly errors: readonly {
    readonly code: number
    readonly message: string
    readonly error_code?: string
  }[]
  readonly result: T
}

/** A module of an upload: its text or bytes, and its content type if it is no ES module. */
export type ModuleSource =
  | string
  | Uint8Array<ArrayBuffer>
  | { readonly type: string; readonly body: string | Uint8Array<ArrayBuffer> }

/** A running platform, as one account's developers and callers meet it. */
export interface Platform {
  readonly kind: HostKind
  readonly port: number
  /** `http://127.0.0.1:<port>` */
  readonly url: string
  readonly token: string
  readonly accountId: string
  readonly dataDir: string
  /** Where this account's scripts answer: `<script>.<domain>`. */
  readonly domain: string
  /** A caller's request to a host name that needs not resolve. */
  fetch(host: string, path?: string, init?: SendInit): Promise<Response>
  /** The same to one of the account's scripts by its name. */
  call(script: string, path?: string, init?: SendInit): Promise<Response>
  /** The text of a script's answer; the status in front unless it is 200. */
  read(script: string, path?: string, init?: SendInit): Promise<string>
  /** A call of `/client/v4`: the path begins with `/accounts`; a leading `$A` stands for the account's own. */
  api<T = unknown>(
    method: string,
    path: string,
    body?: unknown,
    token?: string,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Envelope<T>>
  /** A call of `/api/v1`; a leading `$A` stands for the account's own path. */
  v1<T = unknown>(
    method: string,
    path: string,
    body?: unknown,
    token?: string,
    headers?: Readonly<Record<string, string>>,
  ): Promise<{ status: number; body: T }>
  /** Uploads and deploys a script through the API, or throws. The first module is the main one. */
  upload(
    script: string,
    modules: string | Readonly<Record<string, ModuleSource>>,
    metadata?: object,
  ): Promise<{ deployment_id: string }>
  /** Runs the real wrangler to its end. */
  wrangler(args: readonly string[], options?: RunOptions): Promise<Finished>
  /** Starts the real wrangler. */
  startWrangler(args: readonly string[], options?: RunOptions): ReturnType<typeof startCommand>
  /** Runs our own command line. */
  skerry(args: readonly string[], options?: RunOptions): Promise<Finished>
  /** The same platform as another account; it is made if there is none of that name. */
  as(accountName: string): Promise<Platform>
  /** A new token for this account. */
  createToken(role: 'viewer' | 'deployer' | 'admin'): Promise<string>
}

const ROOT = join(import.meta.dirname, '../../..')
const WRANGLER = join(ROOT, 'node_modules/.bin/wrangler')
const SKERRY = join(ROOT, 'bin/skerry.mjs')

/** A client of a platform that runs. */
export function connect(connection: Connection, domain = 'localhost'): Platform {
  const { kind, port, token, accountId, dataDir } = connection
  const url = `http://127.0.0.1:${port}`
  const env = {
    CLOUDFLARE_API_BASE_URL: `${url}/client/v4`,
    CLOUDFLARE_API_TOKEN: token,
    CLOUDFLARE_ACCOUNT_ID: accountId,
  }
  const send = (host: string, path = '/', init: SendInit = {}) => request(port, host, path, init)
  const control = (method: string, path: string, body: unknown, bearer: string, headers = {}) =>
    send(`127.0.0.1:${port}`, path, {
      method,
      headers: {
        authorization: `Bearer ${bearer}`,
        ...(isJson(body) && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: isJson(body) ? JSON.stringify(body) : (body as Body) }),
    })
  const platform: Platform = {
    ...{ kind, port, url, token, accountId, dataDir, domain },
    fetch: send,
    call: (script, path, init) => send(`${script}.${domain}:${port}`, path, init),
    read: async (script, path, init) => {
      const response = await platform.call(script, path, init)
      const text = await response.text()
      return response.status === 200 ? text : `${response.status} ${text}`
    },
    api: async (method, path, body, bearer = token, headers = {}) => {
      const full = `/client/v4${path.replace(/^\$A/, `/accounts/${accountId}`)}`
      const response = await control(method, full, body, bearer, headers)
      const text = await response.text()
      try {
        return { ...JSON.parse(text), status: response.status }
      } catch {
        throw new Error(`${method} ${path} answered ${response.status} with no JSON: ${text.slice(0, 300)}`)
      }
    },
    v1: async (method, path, body, bearer = token, headers = {}) => {
      const full = `/api/v1${path.replace(/^\$A/, `/accounts/${accountId}`)}`
      const response = await control(method, full, body, bearer, headers)
      const text = await response.text()
      return { status: response.status, body: text ? JSON.parse(text) : undefined }
    },
    upload: async (script, modules, metadata) => {
      const form = toUploadForm(modules, metadata)
      const answer = await platform.api('PUT', `$A/workers/scripts/${script}`, form)
      if (!answer.success) throw new Error(`upload of ${script}: ${JSON.stringify(answer.errors)}`)
      return answer.result as { deployment_id: string }
    },
    wrangler: (args, options) => runCommand(WRANGLER, args, env, options),
    startWrangler: (args, options) => startCommand(WRANGLER, args, env, options),
    skerry: (args, options) =>
      runCommand(
        SKERRY,
        args,
        {
          SKERRY_URL: url,
          SKERRY_DATA_DIR: dataDir,
          SKERRY_TOKEN: token,
          CLOUDFLARE_ACCOUNT_ID: accountId,
        },
        options,
      ),
    as: async name => {
      const { body } = await platform.v1<{ id: string; name: string; workers_domain: string }[]>(
        'GET',
        '/accounts',
      )
      const known = body.find(account => account.name === name)
      const account = known ?? (await platform.v1<(typeof body)[0]>('POST', '/accounts', { name })).body
      return connect({ ...connection, accountId: account.id }, account.workers_domain)
    },
    createToken: async role => {
      const body = { name: `e2e ${role}`, role, account_id: accountId }
      return (await platform.v1<{ token: string }>('POST', '/tokens', body)).body.token
    },
  }
  return platform
}

/** An upload as wrangler sends it. */
export function toUploadForm(
  modules: string | Readonly<Record<string, ModuleSource>>,
  metadata: object = {},
): FormData {
  const parts = typeof modules === 'string' ? { 'index.js': modules } : modules
  const [main = ''] = Object.keys(parts)
  const form = new FormData()
  const base = { main_module: main, compatibility_date: '2026-11-01' }
  form.set('metadata', JSON.stringify({ ...base, ...metadata }))
  for (const [name, part] of Object.entries(parts)) form.append(name, toBlob(part), name)
  return form
}

function toBlob(part: ModuleSource): Blob {
  const isTyped = typeof part === 'object' && 'type' in part
  const type = isTyped ? part.type : 'application/javascript+module'
  return new Blob([isTyped ? part.body : part], { type })
}

function isJson(body: unknown): boolean {
  return (
    body !== undefined &&
    !(body instanceof FormData) &&
    !(body instanceof Uint8Array) &&
    typeof body !== 'string'
  )
}
