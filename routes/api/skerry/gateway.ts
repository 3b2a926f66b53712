import { type Context, Hono } from 'hono'
import { stringify } from 'smol-toml'
import { SkerryError, toSkerryError } from '../../../src/core/errors.ts'
import { toProblem } from '../../../src/core/problem.ts'
import type { GatewayRevision, GatewayRevisionEntry } from '../../../src/registry/gateway.ts'
import { directory } from '../../../src/registry/stubs.ts'
import { placedHostsOf } from '../../gateway/check.ts'
import { type Difference, diffDocuments } from '../../gateway/diff.ts'
import type { GatewayDocument } from '../../gateway/document.ts'
import { gatewayJsonSchema } from '../../gateway/json-schema.ts'
import { locateIssues, type SourceIssue } from '../../gateway/source.ts'
import type { Api } from '../context.ts'
import { readJsonObject } from '../json.ts'
import { requireRole } from '../roles.ts'
import { type CheckedSource, checkAgain, checkSource, respondIssues } from './gateway-check.ts'
import { gatewaySecrets } from './gateway-secrets.ts'
import { type GatewaySource, readGatewaySource } from './gateway-source.ts'

/** An account's gateway file, its history and secrets. Mounted at `/accounts/:account/gateway`. */
export const gateway = new Hono<Api>()

/** The file in force, checked; with `?source` or `Accept: application/toml` as it was written. */
gateway.get('/', async c => {
  const current = await c.var.account.registry.getGateway()
  c.header('etag', etagOf(current?.revision ?? 0))
  if (c.req.header('if-none-match') === etagOf(current?.revision ?? 0)) return c.body(null, 304)
  if (current) return respondRevision(c, current)
  if (!wantsSource(c)) return c.json({ revision: 0, document: null })
  throw new SkerryError(
    'ERR_GATEWAY_REVISION_NOT_FOUND',
    'The account has no gateway file yet; `skerry gateway apply` brings one.',
  )
})

/**
 * Puts a file in force, if the one in force is still the one that `If-Match` names (`*`: whatever there is).
 * `?dry_run=1`: only says what is wrong with it and what it would change. `?message=`: why, for the history.
 */
gateway.put('/', async c => {
  const isDryRun = ['1', 'true'].includes(c.req.query('dry_run') ?? '')
  requireRole(c, isDryRun ? 'viewer' : 'deployer')
  const expected = isDryRun ? undefined : expectedOf(c)
  const source = await readGatewaySource(c)
  const before = await c.var.account.registry.getGateway()
  const revision = before?.revision ?? 0
  if (expected !== undefined && expected !== revision) return respondConflict(c, expected, revision)
  const checked = await checkSource(c, source)
  if ('issues' in checked) return respondIssues(c, checked)

  const warnings = [...checked.warnings, ...warnOfPrivate(c, before)]
  const changes = diffDocuments(documentOf(before), checked.document)
  if (isDryRun) return respondApplied(c, { revision, applied: false, changes, warnings })
  if (before && isSame(c, before, checked, source)) {
    return respondApplied(c, { revision, applied: false, changes, warnings })
  }
  const { text, format } = source
  const allowPrivate = isPlatformAdmin(c)
  return apply(
    c,
    checked,
    { text, format, allowPrivate, message: messageOf(c.req.query('message')) },
    expected,
    {
      changes,
      warnings,
    },
  )
})

/** Revisions that are kept, newest first; the first is in force. */
gateway.get('/history', async c => {
  const revisions = await c.var.account.registry.listGatewayRevisions()
  return c.json(revisions.map(toEntry))
})

gateway.get('/history/:revision', async c =>
  respondRevision(c, await readRevision(c, c.req.param('revision'))),
)

/** Makes an earlier revision's content the newest: `{ revision, message? }`. */
gateway.post('/rollback', async c => {
  requireRole(c, 'deployer')
  const body = await readJsonObject(c)
  const target = await readRevision(c, body.revision)
  const before = await c.var.account.registry.getGateway()
  const expected = c.req.header('if-match') === undefined ? undefined : expectedOf(c)
  const revision = before?.revision ?? 0
  if (expected !== undefined && expected !== revision) return respondConflict(c, expected, revision)
  const { source: text, format } = target
  const checked = await checkAgain(c, target.document, { text, format })
  if ('issues' in checked) return respondIssues(c, checked)
  const message = messageOf(body.message) || `Rollback to revision ${target.revision}`
  // An admin of the platform let exactly this reach private addresses.
  const allowPrivate = target.allow_private === 1 || isPlatformAdmin(c)
  const changes = diffDocuments(documentOf(before), checked.document)
  const { warnings } = checked
  return apply(c, checked, { text, format, allowPrivate, message }, expected, { changes, warnings })
})

gateway.get('/schema', respondSchema)
gateway.route('/secrets', gatewaySecrets)

/** The JSON Schema of the file, for editors. */
export function respondSchema(c: Context<Api>): Response {
  c.header('content-type', 'application/schema+json')
  c.header('cache-control', 'public, max-age=300')
  return c.body(JSON.stringify(gatewayJsonSchema()))
}

/** Claims hosts, then puts the file in force. */
async function apply(
  c: Context<Api>,
  checked: CheckedSource,
  fields: { text: string; format: 'toml' | 'json'; allowPrivate: boolean; message: string },
  expected: number | undefined,
  told: { changes: readonly Difference[]; warnings: readonly SourceIssue[] },
): Promise<Response> {
  const { text: source, ...rest } = fields
  try {
    await directory(c.env).claimHosts(c.var.account.id, checked.hosts)
    const { document: _, text: document, hosts, secrets } = checked
    const author = c.var.principal.tokenName
    const applied = await c.var.account.registry.applyGateway({
      ...rest,
      source,
      document,
      hosts,
      secrets,
      author,
      expected,
    })
    return respondApplied(c, { revision: applied.revision, applied: true, ...told })
  } catch (error) {
    const known = toSkerryError(error)
    if (known?.code === 'ERR_GATEWAY_CONFLICT' && expected !== undefined) {
      return respondConflict(c, expected, (await c.var.account.registry.getGateway())?.revision ?? 0)
    }
    if (known?.code !== 'ERR_HOST_TAKEN') throw error
    const taken = placedHostsOf(checked.document).filter(({ host }) => known.detail.includes(`"${host}"`))
    if (taken.length === 0) throw error
    const issues = taken.map(({ path }) => ({ path, message: known.detail }))
    const located = locateIssues(source, fields.format, issues)
    return respondIssues(c, { issues: located, warnings: told.warnings }, 'ERR_HOST_TAKEN')
  }
}

interface Applied {
  readonly revision: number
  /** Whether a revision was made. */
  readonly applied: boolean
  readonly changes: readonly Difference[]
  readonly warnings: readonly SourceIssue[]
}

function respondApplied(c: Context<Api>, answer: Applied): Response {
  c.header('etag', etagOf(answer.revision))
  return c.json(answer)
}

/** Another was faster; the answer names the revision that is in force now. */
function respondConflict(c: Context<Api>, expected: number, current: number): Response {
  const detail = `The gateway is at revision ${current}, not ${expected}: somebody else applied a file meanwhile. See what would change with \`skerry gateway diff\`, then apply again.`
  const problem = toProblem('ERR_GATEWAY_CONFLICT', detail, c.var.requestId)
  return new Response(`${JSON.stringify({ ...problem, revision: current })}\n`, {
    status: problem.status,
    headers: { 'content-type': 'application/problem+json', etag: etagOf(current) },
  })
}

function respondRevision(c: Context<Api>, revision: GatewayRevision): Response {
  const { source, format } = revision
  if (!wantsSource(c)) {
    return c.json({ ...toEntry(revision), document: JSON.parse(revision.document) })
  }
  const wantsToml = c.req.header('accept')?.includes('application/toml') ?? false
  if (format === 'json' && wantsToml && c.req.query('source') === undefined) {
    return c.body(stringify(JSON.parse(source)), 200, { 'content-type': 'application/toml' })
  }
  return c.body(source, 200, { 'content-type': `application/${format}` })
}

function wantsSource(c: Context<Api>): boolean {
  const source = c.req.query('source')
  if (source !== undefined) return source !== '0' && source !== 'false'
  return c.req.header('accept')?.includes('application/toml') ?? false
}

async function readRevision(c: Context<Api>, wanted: unknown): Promise<GatewayRevision> {
  const revision = Number(wanted)
  if (!Number.isInteger(revision) || revision < 1 || wanted === true) {
    throw new SkerryError(
      'ERR_API_BODY',
      `A revision is a whole number from 1, not ${JSON.stringify(wanted)}.`,
    )
  }
  const found = await c.var.account.registry.getGatewayRevision(revision)
  if (found) return found
  throw new SkerryError(
    'ERR_GATEWAY_REVISION_NOT_FOUND',
    `There is no revision ${revision} of the gateway file.`,
  )
}

function toEntry({ revision, format, author, message, allow_private, created_on }: GatewayRevisionEntry) {
  return { revision, format, author, message, allow_private: allow_private === 1, created_on }
}

/** What `If-Match` or `If-None-Match: *` says the file was made from; `undefined` = it may replace whatever there is. */
function expectedOf(c: Context<Api>): number | undefined {
  const match = c.req.header('if-match')?.trim()
  if (match === undefined) {
    if (c.req.header('if-none-match')?.trim() === '*') return 0
    throw new SkerryError(
      'ERR_GATEWAY_PRECONDITION',
      'The request has no If-Match: name the revision that the file was made from (`If-Match: "7"`, `"0"` if there is none yet).',
    )
  }
  if (match === '*') return undefined
  const [, revision] = /^(?:W\/)?"?(\d{1,15})"?$/.exec(match) ?? []
  if (revision !== undefined) return Number(revision)
  throw new SkerryError('ERR_API_BODY', `If-Match must be a revision such as "7", or *, not ${match}.`)
}

const etagOf = (revision: number): string => `"${revision}"`

function messageOf(value: unknown): string {
  if (value === undefined) return ''
  if (typeof value === 'string' && value.length <= MAX_MESSAGE_CHARS) return value
  throw new SkerryError(
    'ERR_API_BODY',
    `The message must be a text of at most ${MAX_MESSAGE_CHARS} characters.`,
  )
}

const MAX_MESSAGE_CHARS = 1000

function documentOf(revision: GatewayRevision | undefined): GatewayDocument | undefined {
  return revision && (JSON.parse(revision.document) as GatewayDocument)
}

/** Applying the same again is no change. */
function isSame(
  c: Context<Api>,
  before: GatewayRevision,
  { text }: CheckedSource,
  source: GatewaySource,
): boolean {
  return (
    before.document === text &&
    before.source === source.text &&
    before.format === source.format &&
    (before.allow_private === 1) === isPlatformAdmin(c)
  )
}

/** Only who may do everything may send the platform to addresses behind its walls. */
function isPlatformAdmin(c: Context<Api>): boolean {
  const { role, accountId } = c.var.principal
  return role === 'admin' && accountId === undefined
}

function warnOfPrivate(c: Context<Api>, before: GatewayRevision | undefined): SourceIssue[] {
  if (before?.allow_private !== 1 || isPlatformAdmin(c)) return []
  const message =
    'An admin of the platform applied the file that is in force, so it may reach private addresses; one that you apply may not.'
  return [{ line: 1, column: 1, path: '', message }]
}
