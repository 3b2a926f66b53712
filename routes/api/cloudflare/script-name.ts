import type { Context } from 'hono'
import { SkerryError } from '../../../src/core/errors.ts'
import { LIMITS } from '../../../src/core/limits.ts'
import { scriptNotFound } from '../../../src/registry/failures.ts'
import type { ScriptRecord } from '../../../src/registry/scripts.ts'
import type { Api } from '../context.ts'

/**
 * The script's name in the path, checked: it becomes a label of a host name.
 *
 * @throws ERR_SCRIPT_NAME
 */
export function readScriptName(c: Context<Api>): string {
  const name = c.req.param('name') ?? ''
  if (name.length <= LIMITS.scriptNameChars && /^[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?$/.test(name)) return name
  throw new SkerryError(
    'ERR_SCRIPT_NAME',
    `The script name "${name.slice(0, 80)}" is invalid: it must be 1 to ${LIMITS.scriptNameChars} lower-case letters, digits, dashes and underscores, and start and end with a letter or digit.`,
  )
}

/** The script of the path. @throws ERR_SCRIPT_NOT_FOUND */
export async function readScript(c: Context<Api>): Promise<ScriptRecord> {
  const script = await c.var.account.registry.getScript(c.req.param('name') ?? '')
  if (!script) throw scriptNotFound()
  return script
}
