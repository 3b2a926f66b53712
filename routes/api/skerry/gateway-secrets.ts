import { type Context, Hono } from 'hono'
import { SkerryError } from '../../../src/core/errors.ts'
import { LIMITS } from '../../../src/core/limits.ts'
import { sealSecret } from '../../../src/registry/secrets.ts'
import { checkDocument } from '../../gateway/check.ts'
import { secretNameOf } from '../../gateway/secrets.ts'
import { describePath } from '../../gateway/source.ts'
import type { FoundIssue } from '../../policies/issues.ts'
import type { Api } from '../context.ts'
import { readJsonObject, stringField } from '../json.ts'
import { requireRole } from '../roles.ts'
import { readSecrets } from './gateway-check.ts'

/** Secrets that a gateway file refers to as `secret:NAME`: names and dates alone come back. Mounted at `…/gateway/secrets`. */
export const gatewaySecrets = new Hono<Api>()

gatewaySecrets.get('/', async c => c.json(await c.var.account.registry.listGatewaySecrets()))

/** Sets one: `{ text }`. Edges have it when this is answered; the file in force must still do with it. */
gatewaySecrets.put('/:name', async c => {
  requireRole(c, 'deployer')
  const name = nameOf(c)
  const text = stringField(await readJsonObject(c), 'text')
  const bytes = new TextEncoder().encode(text).byteLength
  if (bytes < 1 || bytes > LIMITS.variableBytes) {
    throw new SkerryError(
      'ERR_API_BODY',
      `The secret "${name}" must have 1 to ${LIMITS.variableBytes} bytes, not ${bytes}.`,
    )
  }
  await refuseUnfit(c, name, text)
  await c.var.account.registry.putGatewaySecret(await sealSecret(name, text, c.env.MASTER_KEY))
  return c.json({ name })
})

gatewaySecrets.delete('/:name', async c => {
  requireRole(c, 'deployer')
  await c.var.account.registry.deleteGatewaySecret(nameOf(c))
  return c.body(null, 204)
})

function nameOf(c: Context<Api>): string {
  const name = c.req.param('name') ?? ''
  if (secretNameOf(`secret:${name}`) === name) return name
  throw new SkerryError(
    'ERR_API_BODY',
    `A secret's name has 1 to 64 letters, digits and underscores and begins with no digit, unlike "${name}".`,
  )
}

/** A key that is too short, say, would leave the routes that need it without their policy. @throws ERR_GATEWAY_FILE */
async function refuseUnfit(c: Context<Api>, name: string, text: string): Promise<void> {
  const current = await c.var.account.registry.getGateway()
  if (!current?.document.includes(`secret:${name}`)) return
  const document: unknown = JSON.parse(current.document)
  const secrets = await readSecrets(c)
  const known = new Set(issuesOf(document, secrets).map(toText))
  const issue = issuesOf(document, { ...secrets, [name]: text }).find(found => !known.has(toText(found)))
  if (!issue) return
  const message = `The gateway file in force can't do with this text: ${toText(issue)}`
  throw new SkerryError('ERR_GATEWAY_FILE', message)
}

function issuesOf(document: unknown, secrets: Readonly<Record<string, string>>): readonly FoundIssue[] {
  const check = checkDocument(document, { secrets })
  return 'issues' in check ? check.issues : []
}

const toText = ({ path, message }: FoundIssue): string => `${describePath(path)}: ${message}`
