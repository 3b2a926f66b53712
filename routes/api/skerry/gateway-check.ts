import type { Context } from 'hono'
import { type ErrorCode, SkerryError, toSkerryError } from '../../../src/core/errors.ts'
import { LIMITS } from '../../../src/core/limits.ts'
import { toProblem } from '../../../src/core/problem.ts'
import { openGatewaySecrets } from '../../../src/registry/gateway.ts'
import { checkDocument, hostsOf, placedHostsOf, scriptsOf, secretsOf } from '../../gateway/check.ts'
import type { PolicyCheck } from '../../gateway/check-policies.ts'
import type { GatewayDocument } from '../../gateway/document.ts'
import { withFiles } from '../../gateway/files.ts'
import { locateIssues, parseSource, type SourceIssue } from '../../gateway/source.ts'
import type { FoundIssue } from '../../policies/issues.ts'
import { refusePlatformHost } from '../cloudflare/hosts.ts'
import type { Api } from '../context.ts'
import type { GatewaySource } from './gateway-source.ts'

/** A file that may be applied. */
export interface CheckedSource {
  readonly document: GatewayDocument
  /** The same as JSON text, as it is stored. */
  readonly text: string
  readonly hosts: readonly string[]
  readonly secrets: readonly string[]
  readonly warnings: readonly SourceIssue[]
}

/** What is wrong with a file that may not. */
export interface RefusedSource {
  readonly issues: readonly SourceIssue[]
  readonly warnings: readonly SourceIssue[]
}

/** Checks a gateway file as it was sent, for the account of the request. */
export async function checkSource(
  c: Context<Api>,
  { text, format, files }: GatewaySource,
): Promise<CheckedSource | RefusedSource> {
  const parsed = parseSource(text, format)
  if ('issues' in parsed) return { issues: parsed.issues, warnings: [] }
  const { value, issues } = withFiles(parsed.value, files)
  const locate = (found: readonly FoundIssue[]) => locateIssues(text, format, found)
  return checkValue(c, value, issues, locate)
}

/** The same for a document that had been checked once: secrets, policies and hosts may have changed since. */
export function checkAgain(
  c: Context<Api>,
  document: string,
  source: Pick<GatewaySource, 'text' | 'format'>,
): Promise<CheckedSource | RefusedSource> {
  const locate = (found: readonly FoundIssue[]) => locateIssues(source.text, source.format, found)
  return checkValue(c, JSON.parse(document), [], locate)
}

/** The texts of the account's gateway secrets, by name. */
export async function readSecrets(c: Context<Api>): Promise<Record<string, string>> {
  return openGatewaySecrets(await c.var.account.registry.sealedGatewaySecrets(), c.env.MASTER_KEY)
}

/** Who may only read learns nothing of secrets' texts, not even how long they are. */
async function readKnownSecrets(c: Context<Api>): Promise<Pick<PolicyCheck, 'secrets' | 'secretNames'>> {
  if (c.var.principal.role !== 'viewer') return { secrets: await readSecrets(c), secretNames: undefined }
  const entries = await c.var.account.registry.listGatewaySecrets()
  return { secrets: undefined, secretNames: new Set(entries.map(({ name }) => name)) }
}

async function checkValue(
  c: Context<Api>,
  value: unknown,
  before: readonly FoundIssue[],
  locate: (issues: readonly FoundIssue[]) => SourceIssue[],
): Promise<CheckedSource | RefusedSource> {
  const check = checkDocument(value, await readKnownSecrets(c))
  const warnings = [...check.warnings]
  if ('issues' in check || before.length > 0) {
    // What a missing file would have held is only said once.
    const found = 'issues' in check ? check.issues.filter(issue => !isAbout(issue, before)) : []
    return { issues: locate([...before, ...found]), warnings: locate(warnings) }
  }
  const { document } = check
  const issues = [...findForeignHosts(c, document), ...findTooManyHosts(document)]
  warnings.push(...(await findMissingScripts(c, document)))
  if (issues.length > 0) return { issues: locate(issues), warnings: locate(warnings) }
  const text = JSON.stringify(document)
  const bytes = new TextEncoder().encode(text).byteLength
  if (bytes > MAX_DOCUMENT_BYTES) {
    throw new SkerryError(
      'ERR_GATEWAY_FILE_TOO_LARGE',
      `The gateway file has ${bytes} bytes once its defaults are filled in, of at most ${MAX_DOCUMENT_BYTES}.`,
    )
  }
  return {
    document,
    text,
    hosts: hostsOf(document),
    secrets: secretsOf(document),
    warnings: locate(warnings),
  }
}

const isAbout = ({ path }: FoundIssue, issues: readonly FoundIssue[]): boolean =>
  issues.some(other => other.path.every((key, i) => path[i] === key))

/** A row of the registry has at most 2 MB. */
const MAX_DOCUMENT_BYTES = 2 * LIMITS.gatewayFileBytes - 200_000

/** The platform's own names are nobody's. */
function findForeignHosts(c: Context<Api>, document: GatewayDocument): FoundIssue[] {
  return placedHostsOf(document).flatMap(({ host, path }) => {
    try {
      refusePlatformHost(c, host)
      return []
    } catch (error) {
      const known = toSkerryError(error)
      if (!known) throw error
      return [{ path, message: known.detail }]
    }
  })
}

/** Each is claimed in the directory that all accounts share. */
function findTooManyHosts(document: GatewayDocument): FoundIssue[] {
  const hosts = new Set<string>()
  const tooMany = placedHostsOf(document).find(({ host }) => hosts.add(host).size > LIMITS.gatewayHosts)
  if (!tooMany) return []
  const message = `The routes name more than ${LIMITS.gatewayHosts} hosts: use a wildcard ("*.example.com"), or another account.`
  return [{ path: tooMany.path, message }]
}

/** A function may be deployed after the route to it; until then its callers get 404. */
async function findMissingScripts(c: Context<Api>, document: GatewayDocument): Promise<FoundIssue[]> {
  const scripts = scriptsOf(document)
  if (scripts.size === 0) return []
  const deployed = new Set((await c.var.account.registry.listScripts()).map(({ name }) => name))
  return [...scripts]
    .filter(([name]) => !deployed.has(name))
    .map(([name, path]) => ({
      path,
      message: `There is no function "${name}" yet: deploy it with wrangler.`,
    }))
}

/** Nobody corrects more of them at once. */
const MAX_ISSUES = 100

/** Says what is wrong with a file: problem JSON with `issues` and `warnings`, each with its line and column. */
export function respondIssues(
  c: Context<Api>,
  { issues, warnings }: RefusedSource,
  code: ErrorCode = 'ERR_GATEWAY_FILE',
): Response {
  const [first] = issues
  const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : ''
  const place = first ? `Line ${first.line}, column ${first.column}: ` : ''
  const name = first?.path ? `${first.path}: ` : ''
  const problem = toProblem(code, `${place}${name}${first?.message ?? ''}${more}`, c.var.requestId)
  const body = { ...problem, problems: issues.length, issues: issues.slice(0, MAX_ISSUES), warnings }
  return new Response(`${JSON.stringify(body)}\n`, {
    status: problem.status,
    headers: { 'content-type': 'application/problem+json' },
  })
}
