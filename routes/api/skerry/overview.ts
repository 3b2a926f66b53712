import type { Context } from 'hono'
import type { ProcessStatus } from '../../../src/core/processes.ts'
import { latestProcesses } from '../../../src/observe/processes.ts'
import { type AccountRecord, workersDomain } from '../../../src/registry/accounts.ts'
import type { Authentication } from '../../../src/registry/directory.ts'
import type { QuarantineRecord } from '../../../src/registry/strikes.ts'
import { accountRegistry, directory } from '../../../src/registry/stubs.ts'
import { hashToken } from '../../../src/registry/tokens.ts'
import type { GatewayDocument } from '../../gateway/document.ts'
import { patternsOf, scriptHostsOf } from '../../gateway/script-hosts.ts'
import type { Api } from '../context.ts'
import { readSession } from './session.ts'
import { VERSION } from './version.ts'

/** What the first page says, to a browser as to curl. */
export interface Overview {
  readonly isHealthy: boolean
  readonly version: string
  /** `self-host`, `dev` or `cloudflare`. */
  readonly hostKind: string
  /** Where wrangler finds Cloudflare's API. */
  readonly apiUrl: string
  /** Whom the page is shown to; `undefined` = not signed in. */
  readonly viewer: Viewer | undefined
}

/** A signed-in reader of the page. */
export interface Viewer {
  readonly tokenName: string
  readonly role: string
  readonly accounts: readonly AccountOverview[]
  /** Of the whole platform's admins only; empty where no supervisor runs it. */
  readonly processes: readonly ProcessStatus[]
}

/** An account and what is deployed in it. */
export interface AccountOverview {
  readonly id: string
  readonly name: string
  /** By name, at most {@link MAX_SCRIPTS}. */
  readonly scripts: readonly ScriptOverview[]
  /** How many there are in all. */
  readonly total: number
  /** Of the gateway file; `undefined` = there is none. */
  readonly gateway: GatewayOverview | undefined
}

/** An account's gateway file at a glance. */
export interface GatewayOverview {
  readonly revision: number
  readonly routes: number
  readonly policies: number
  /** Who applied it, and when (ISO 8601, UTC). */
  readonly author: string
  readonly appliedOn: string
}

/** A script at a glance. */
export interface ScriptOverview {
  readonly name: string
  /** Where it answers; `undefined` if only its routes lead to it. */
  readonly url: string | undefined
  /** Route patterns, custom domains and routes of the gateway file. */
  readonly routes: readonly string[]
  /** ISO 8601, UTC. */
  readonly modifiedOn: string
  /** Why it isn't called, and until when (ISO 8601, UTC); `undefined` = it is. */
  readonly quarantine: { readonly reason: string; readonly until: string } | undefined
}

/** Scripts shown of one account, and accounts shown: the page stays a page; the CLI lists everything. */
export const MAX_SCRIPTS = 200
export const MAX_ACCOUNTS = 20

/** Gathers the page's facts. A registry that does not answer is one of them. */
export async function readOverview(c: Context<Api>): Promise<Overview> {
  const facts = {
    version: VERSION,
    hostKind: c.env.SKERRY_HOST_KIND ?? 'dev',
    apiUrl: `${originOf(c)}/client/v4`,
  }
  try {
    const [found] = await Promise.all([findReader(c), directory(c.env).accounts()])
    return { ...facts, isHealthy: true, viewer: found && (await toViewer(c, found)) }
  } catch (error) {
    console.error(`the first page found the registry unavailable: ${error}`)
    return { ...facts, isHealthy: false, viewer: undefined }
  }
}

/** The origin that the reader reached us by, with the scheme of SKERRY_URL where that names the same host. */
export function originOf(c: Context<Api>): string {
  const url = new URL(c.req.url)
  const own = c.env.SKERRY_URL ? URL.parse(c.env.SKERRY_URL) : null
  return own?.host === url.host ? own.origin : url.origin
}

/** Whom the request is from: by the browser's session, or by a bearer token. */
async function findReader(c: Context<Api>): Promise<Authentication | undefined> {
  const [, token] = /^bearer +(\S+)$/i.exec(c.req.header('authorization') ?? '') ?? []
  const hash = token ? await hashToken(token) : await readSession(c)
  return hash ? directory(c.env).authenticate(hash) : undefined
}

async function toViewer(c: Context<Api>, { token, accounts }: Authentication): Promise<Viewer> {
  const shown = accounts.slice(0, MAX_ACCOUNTS)
  return {
    tokenName: token.name,
    role: token.role,
    accounts: await Promise.all(shown.map(account => readAccount(c, account))),
    processes: token.role === 'admin' && !token.account_id ? (latestProcesses()?.processes ?? []) : [],
  }
}

async function readAccount(c: Context<Api>, account: AccountRecord): Promise<AccountOverview> {
  const registry = await accountRegistry(c.env, account)
  const [scripts, routes, quarantines, gateway] = await Promise.all([
    registry.listScripts(),
    registry.listRoutes(),
    registry.listQuarantines(),
    registry.getGateway(),
  ])
  const document = gateway && (JSON.parse(gateway.document) as GatewayDocument)
  const answers = document ? scriptHostsOf(document) : () => true
  const domain = workersDomain(account, c.env.SKERRY_DOMAIN ?? 'localhost')
  return {
    id: account.id,
    name: account.name,
    total: scripts.length,
    gateway: gateway && {
      revision: gateway.revision,
      routes: document?.routes.length ?? 0,
      policies: Object.keys(document?.policies ?? {}).length,
      author: gateway.author,
      appliedOn: gateway.created_on,
    },
    scripts: scripts.slice(0, MAX_SCRIPTS).map(({ name, workers_dev, modified_on }) => ({
      name,
      url: workers_dev && answers(name) ? functionUrl(c, `${name}.${domain}`) : undefined,
      routes: [
        ...routes.filter(({ script }) => script === name).map(({ pattern }) => pattern),
        ...(document ? patternsOf(document, name) : []),
      ],
      modifiedOn: modified_on,
      quarantine: findQuarantine(quarantines, name),
    })),
  }
}

/** That of the script as deployed: a preview's concerns only those who try it. */
function findQuarantine(
  quarantines: readonly QuarantineRecord[],
  name: string,
): ScriptOverview['quarantine'] {
  const found = quarantines.find(({ script, isolate }) => script === name && isolate === '')?.quarantine
  return found && { reason: found.reason, until: new Date(found.untilMs).toISOString() }
}

/** Functions share scheme and port with the page; one that was opened by address knows the platform's own URL. */
function functionUrl(c: Context<Api>, host: string): string {
  const origin = new URL(originOf(c))
  const isApex = origin.hostname === (c.env.SKERRY_DOMAIN ?? 'localhost')
  const own = c.env.SKERRY_URL && !isApex ? new URL(c.env.SKERRY_URL) : origin
  return `${own.protocol}//${host}${own.port && `:${own.port}`}/`
}
