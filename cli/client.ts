import { join } from 'node:path'
import { readAdminToken, readText } from '../host/data-dir.ts'
import { Failure, messageOf } from '../host/failure.ts'
import { type HostOptions, resolveHostOptions, toLocalUrl } from '../host/options.ts'

/** The platform's API, as an account's owner or an admin sees it. */
export interface Client {
  /** Where the platform is, without path: `http://127.0.0.1:8787`. */
  readonly url: string
  readonly token: string
  /** Cloudflare's API below `/client/v4`: resolves to the envelope's `result`. */
  cloudflare(method: string, path: string, body?: unknown): Promise<unknown>
  /** Ours below `/api/v1`: resolves to the JSON answer; `undefined` if there is none. */
  skerry(method: string, path: string, body?: unknown): Promise<unknown>
  /** The same with headers and bodies of one's own: resolves to the answer, whatever its status. */
  send(method: string, path: string, init?: Pick<RequestInit, 'body' | 'headers'>): Promise<Answer>
}

/** An answer of the API. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/** An account as `/api/v1/accounts` shows it. */
export interface Account {
  readonly id: string
  readonly name: string
  readonly default: boolean
}

/**
 * A client for the platform that the environment names. Where: SKERRY_URL, else SKERRY_HOST and SKERRY_PORT, else
 * the running platform of the data directory, else 127.0.0.1:8787. As whom: SKERRY_TOKEN, CLOUDFLARE_API_TOKEN,
 * SKERRY_ADMIN_TOKEN, else the data directory's admin token.
 *
 * @throws Failure if there is no token to be found
 */
export function createClient(env: NodeJS.ProcessEnv, cwd: string): Client {
  const options = resolveHostOptions(env, cwd)
  return clientFor(findUrl(env, options), findToken(env, options))
}

/** The same for the platform's operator: only the admin token will do. */
export function createAdminClient(env: NodeJS.ProcessEnv, cwd: string): Client {
  const options = resolveHostOptions(env, cwd)
  return clientFor(
    findUrl(env, options),
    options.adminToken ?? readAdminToken(options.dataDir) ?? noToken(options),
  )
}

/** The account to work in: the one asked for by id or name, else CLOUDFLARE_ACCOUNT_ID, else the default one. */
export async function findAccount(client: Client, wanted: string | undefined): Promise<Account> {
  // All of them: Cloudflare's list has pages.
  const accounts = (await client.skerry('GET', '/accounts')) as Account[]
  const found = wanted
    ? accounts.find(({ id, name }) => id === wanted || name === wanted)
    : (accounts.find(account => account.default) ?? accounts[0])
  if (found) return found
  const known = accounts.map(({ name }) => name).join(', ') || 'none'
  throw new Failure(
    wanted ? `There is no account "${wanted}"; there is: ${known}.` : 'The token sees no account.',
  )
}

/** Where the platform is, by environment and data directory. */
export function findUrl(env: NodeJS.ProcessEnv, options: HostOptions): string {
  if (options.url) return options.url
  const isPlaceNamed = Boolean(env.SKERRY_HOST || (env.SKERRY_PORT && options.port !== 0))
  const running = isPlaceNamed ? undefined : readText(join(options.dataDir, 'run', 'url'))
  return running || toLocalUrl(options.host, options.port || 8787)
}

function findToken(env: NodeJS.ProcessEnv, options: HostOptions): string {
  const token = env.SKERRY_TOKEN || env.CLOUDFLARE_API_TOKEN || options.adminToken
  return token ?? readAdminToken(options.dataDir) ?? noToken(options)
}

function noToken({ dataDir }: HostOptions): never {
  throw new Failure(
    `There is no token: ${dataDir} holds none. Start the platform there with \`skerry up\`, or set SKERRY_TOKEN or SKERRY_DATA_DIR.`,
  )
}

function clientFor(url: string, token: string): Client {
  const call = async (method: string, path: string, body: unknown) => {
    const response = await send(url, path, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    return { response, body: await readJson(response, url) }
  }
  return {
    url,
    token,
    async cloudflare(method, path, requestBody) {
      const { response, body } = await call(method, `/client/v4${path}`, requestBody)
      if (response.ok && field(body, 'success') === true) return field(body, 'result')
      const [error] = (field(body, 'errors') ?? []) as { code?: number; message?: string }[]
      throw new Failure(
        error?.message ? `${error.message} [code: ${error.code}]` : `${url} answered ${response.status}.`,
      )
    },
    async skerry(method, path, requestBody) {
      const { response, body } = await call(method, `/api/v1${path}`, requestBody)
      if (response.ok) return body
      const text = field(body, 'detail') ?? field(body, 'title')
      throw new Failure(text ? `${text} [${field(body, 'code')}]` : `${url} answered ${response.status}.`)
    },
    async send(method, path, init = {}) {
      const headers = new Headers(init.headers)
      headers.set('authorization', `Bearer ${token}`)
      const response = await send(url, `/api/v1${path}`, { ...init, method, headers })
      return { status: response.status, headers: response.headers, text: await response.text() }
    },
  }
}

async function send(url: string, path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url + path, { ...init, signal: AbortSignal.timeout(60_000) })
  } catch (error) {
    const reason = error instanceof Error && error.cause ? messageOf(error.cause) : messageOf(error)
    throw new Failure(
      `Cannot reach the platform at ${url}: ${reason}. Start it with \`skerry up\`, or set SKERRY_URL.`,
      1,
      { cause: error },
    )
  }
}

async function readJson(response: Response, url: string): Promise<unknown> {
  const text = await response.text()
  if (!text) return undefined
  try {
    return JSON.parse(text)
  } catch {
    throw new Failure(`${url} answered ${response.status} with something that is not JSON: is it Skerry?`)
  }
}

function field(body: unknown, name: string): unknown {
  return typeof body === 'object' && body !== null ? (body as Record<string, unknown>)[name] : undefined
}
