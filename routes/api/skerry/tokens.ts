import { Hono } from 'hono'
import { SkerryError } from '../../../src/core/errors.ts'
import { directory } from '../../../src/registry/stubs.ts'
import { ROLES, type TokenRole } from '../../../src/registry/tokens.ts'
import type { Api } from '../context.ts'
import { readJsonObject, stringField } from '../json.ts'
import { requirePlatformAdmin } from '../roles.ts'

/** Tokens: only hashes are kept, so a token's text is seen once, when it is made. */
export const tokens = new Hono<Api>()

tokens.get('/', async c => {
  requirePlatformAdmin(c)
  return c.json(await directory(c.env).tokens())
})

tokens.post('/', async c => {
  requirePlatformAdmin(c)
  const body = await readJsonObject(c)
  const name = stringField(body, 'name').trim()
  if (name.length < 1 || name.length > MAX_NAME_CHARS) {
    throw new SkerryError(
      'ERR_TOKEN_REQUEST',
      `The field "name" must have 1 to ${MAX_NAME_CHARS} characters, not ${name.length}.`,
    )
  }
  const role = body.role as TokenRole
  if (!ROLES.includes(role)) {
    throw new SkerryError(
      'ERR_TOKEN_REQUEST',
      `The field "role" must be one of ${ROLES.join(', ')}, not ${JSON.stringify(role)}.`,
    )
  }
  const accountId =
    body.account_id === undefined || body.account_id === null ? null : stringField(body, 'account_id')
  return c.json(await directory(c.env).createToken({ name, role, accountId }), 201)
})

tokens.delete('/:id', async c => {
  requirePlatformAdmin(c)
  if (await directory(c.env).revokeToken(c.req.param('id'))) return c.body(null, 204)
  throw new SkerryError('ERR_API_NOT_FOUND', `There is no token "${c.req.param('id')}".`)
})

const MAX_NAME_CHARS = 100
