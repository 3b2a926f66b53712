import type { MiddlewareHandler } from 'hono'
import { SkerryError } from '../../src/core/errors.ts'
import { workersDomain } from '../../src/registry/accounts.ts'
import { accountRegistry, directory } from '../../src/registry/stubs.ts'
import { hashToken } from '../../src/registry/tokens.ts'
import type { Api } from './context.ts'

/**
 * Finds out who calls, by bearer token, and sets `principal` and `accounts`.
 *
 * Tokens are looked up by their hash, which is the comparison: no byte of a stored token is compared with what
 * the caller sent.
 *
 * @throws ERR_UNAUTHENTICATED
 */
export const authenticate: MiddlewareHandler<Api> = async (c, next) => {
  const [, token] = /^bearer +(\S+)$/i.exec(c.req.header('authorization') ?? '') ?? []
  const found = token ? await directory(c.env).authenticate(await hashToken(token)) : undefined
  if (!found) {
    const problem = token ? 'the bearer token is not known here' : 'the request has no bearer token'
    throw new SkerryError('ERR_UNAUTHENTICATED', `Authentication error: ${problem}.`)
  }
  const { id, name, role, account_id } = found.token
  c.set('principal', { tokenId: id, tokenName: name, role, ...(account_id && { accountId: account_id }) })
  c.set('accounts', found.accounts)
  await next()
}

/**
 * Below `/accounts/:account`: sets `account` if the principal belongs to it.
 *
 * Another account and no account look alike. @throws ERR_FORBIDDEN
 */
export const scopeToAccount: MiddlewareHandler<Api> = async (c, next) => {
  const id = c.req.param('account')
  const account = c.var.accounts.find(account => account.id === id)
  if (!account) {
    throw new SkerryError('ERR_FORBIDDEN', `Authentication error: the token is not for an account "${id}".`)
  }
  c.set('account', {
    id: account.id,
    name: account.name,
    workersDomain: workersDomain(account, c.env.SKERRY_DOMAIN ?? 'localhost'),
    registry: await accountRegistry(c.env, account),
  })
  await next()
}
