import type { Context } from 'hono'
import { SkerryError } from '../../src/core/errors.ts'
import { ROLES } from '../../src/registry/tokens.ts'
import type { Api, Role } from './context.ts'

/**
 * Refuses a caller whose token is of a weaker role: viewer < deployer < admin.
 *
 * @throws ERR_FORBIDDEN
 */
export function requireRole(c: Context<Api>, role: Role): void {
  const held = c.var.principal.role
  if (ROLES.indexOf(held) >= ROLES.indexOf(role)) return
  throw new SkerryError(
    'ERR_FORBIDDEN',
    `Authentication error: this needs a token of role ${role}; this one is a ${held}.`,
  )
}

/** Refuses everyone but an admin of the whole platform: tokens and accounts reach beyond one account. @throws ERR_FORBIDDEN */
export function requirePlatformAdmin(c: Context<Api>): void {
  requireRole(c, 'admin')
  if (c.var.principal.accountId === undefined) return
  throw new SkerryError(
    'ERR_FORBIDDEN',
    'Authentication error: this needs an admin token that is not for one account alone.',
  )
}
