import { Hono } from 'hono'
import { SkerryError } from '../../../src/core/errors.ts'
import type { AccountRecord } from '../../../src/registry/accounts.ts'
import type { Api } from '../context.ts'
import { paginate, respondResult } from './envelope.ts'

/** Who the token is: `wrangler whoami`, and account choice. */
export const identity = new Hono<Api>()

identity.get('/user/tokens/verify', c => respondResult(c, { id: c.var.principal.tokenId, status: 'active' }))

identity.get('/user', c => {
  const { tokenId, tokenName } = c.var.principal
  return respondResult(c, { id: tokenId, email: authorEmail(tokenName), username: tokenName })
})

identity.get('/accounts', c => {
  const { items, info } = paginate(c, c.var.accounts, 50)
  return respondResult(c, items.map(toAccount), info)
})

identity.get('/accounts/:id', c => {
  const account = c.var.accounts.find(({ id }) => id === c.req.param('id'))
  if (!account)
    throw new SkerryError('ERR_FORBIDDEN', 'Authentication error: the token is not for this account.')
  return respondResult(c, toAccount(account))
})

identity.get('/memberships', c => {
  const { items, info } = paginate(c, c.var.accounts, 50)
  const memberships = items.map(account => ({
    id: account.id,
    status: 'accepted',
    account: toAccount(account),
    roles: [c.var.principal.role],
  }))
  return respondResult(c, memberships, info)
})

/** Cloudflare shows authors by e-mail; a token has a name alone. */
export function authorEmail(tokenName: string): string {
  return `${tokenName.replace(/[^\w.-]+/g, '-')}@skerry.invalid`
}

function toAccount({ id, name, is_default, created_on }: AccountRecord) {
  return {
    id,
    name,
    type: 'standard',
    created_on,
    settings: { default: is_default === 1, enforce_twofactor: false },
  }
}
